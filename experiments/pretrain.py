"""Pretrain a registration network without labels: ``python experiments/pretrain.py with synth``.

    python experiments/pretrain.py with oasis3 data_dir=FOLDER    # the published way
    python experiments/pretrain.py with oasis1 data_dir=FOLDER
    python experiments/pretrain.py with folder data_dir=FOLDER    # any brain images
    python experiments/pretrain.py with synth                     # no data at all
    python experiments/pretrain.py with self                      # the training images, unlabelled

The other words are those of the training to come: after ``pretrain.py with quick synth``,
``python experiments/train.py with quick pretrain`` starts from the weights. ``print_config`` and
``print_named_configs`` list all entries; ``resume RUN`` goes on where a run ended.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.announce import announce_data
from experiments.cases import Cases
from experiments.pretrain_cases import BrainCases, load_pretraining
from experiments.pretrain_configs import add_pretraining_configs
from experiments.pretrained import leave_pretrained
from experiments.program import run_program, run_training
from experiments.tracking import artifacts_folder, new_experiment, plain
from hipreg.data import write_subjects

if TYPE_CHECKING:
    from sacred.run import Run


experiment = new_experiment("pretrain")
add_pretraining_configs(experiment)


@experiment.main
def main(_run: Run, _config: Mapping[str, Any]) -> float | None:
    """Pretrain, and leave ``pretrained.pt`` beside everything that a training leaves."""
    return run_training(
        _run,
        plain(_config),
        load=load_pretraining,
        announce=announce,
        at_end=leave_pretrained,
    )


def announce(run: Run, config: Mapping[str, Any], cases: Cases) -> None:
    """Say and record which data this is."""
    announce_data(
        run,
        config,
        cases.cohort,
        f"pretraining on {len(cases.fit)} pairs an epoch, the best epoch is chosen on "
        f"{len(cases.pairs['selection'])}",
    )
    folder = artifacts_folder(run)
    if isinstance(cases, BrainCases) and folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_subjects(folder / "subjects.csv", *cases.subjects)


if __name__ == "__main__":
    run_program(experiment, sys.argv[1:])
