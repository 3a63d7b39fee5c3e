"""Train a registration network: ``python experiments/train.py with sym pretrain``.

On N GPUs: ``torchrun --nproc-per-node=N experiments/train.py with sym pretrain``.

To go on where a run ended, however it ended: ``python experiments/train.py resume RUN``, with its
number, its folder or ``latest``.

``print_config`` lists every entry of the configuration, ``print_named_configs`` the named ones.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.announce import announce_data
from experiments.cases import Cases, load_cases
from experiments.configs import add_configs
from experiments.folds import SPLIT_NAMES
from experiments.program import run_program, run_training
from experiments.tracking import new_experiment, plain

if TYPE_CHECKING:
    from sacred.run import Run

experiment = new_experiment("train")
add_configs(experiment)


@experiment.main
def main(_run: Run, _config: Mapping[str, Any]) -> float | None:
    """Train, evaluate on the reported pairs, and leave everything in the run's folder."""
    return run_training(_run, plain(_config), load=load_cases, announce=announce)


def announce(run: Run, config: Mapping[str, Any], cases: Cases) -> None:
    """Say and record which data this is."""
    announce_data(
        run,
        config,
        cases.cohort,
        f"training on {len(cases.fit)} cases, "
        f"{len(cases.pairs[cases.reported])} {SPLIT_NAMES[cases.reported]} pairs",
    )


if __name__ == "__main__":
    run_program(experiment, sys.argv[1:])
