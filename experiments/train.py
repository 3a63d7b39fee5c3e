"""Train a registration network: ``python experiments/train.py with sym pretrain``.

On N GPUs: ``torchrun --nproc-per-node=N experiments/train.py with sym pretrain``.

To go on where a run ended, however it ended: ``python experiments/train.py resume RUN``, with its
number, its folder or ``latest``.

``print_config`` lists every entry of the configuration, ``print_named_configs`` the named ones.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.cases import Cases, load_cases
from experiments.configs import add_configs, choose_dataset
from experiments.program import run_program, run_training
from experiments.tracking import new_experiment, plain
from hipreg.evaluation import DEFINITIONS

if TYPE_CHECKING:
    from sacred.run import Run

logger = logging.getLogger("hipreg.train")

experiment = new_experiment("train")
add_configs(experiment)


@experiment.main
def main(_run: Run, _config: Mapping[str, Any]) -> float | None:
    """Train, evaluate on the validation pairs, and leave everything in the run's folder."""
    return run_training(_run, plain(_config), load=load_cases, announce=announce_data)


def announce_data(run: Run, config: Mapping[str, Any], cases: Cases) -> None:
    """Say and record which data this is."""
    description = cases.cohort.description
    fell_back = choose_dataset(config["data_dir"], config["synthetic_if_none"]) == "synthetic"
    if fell_back and config["dataset"] == "synthetic":
        logger.info(
            "No MRI found (see data/README.md for where to get it and where to put it): "
            "using the built-in synthetic pairs."
        )
    logger.info(
        "%s: training on %d cases, %d validation pairs",
        description.title,
        len(cases.fit),
        len(cases.pairs["val"]),
    )
    run.info["data"] = {"dataset": description.name, "fingerprint": cases.cohort.fingerprint}
    run.info["metric_definitions"] = DEFINITIONS


if __name__ == "__main__":
    run_program(experiment, sys.argv[1:])
