"""Train a network that labels single cases: ``python experiments/segment.py with quick``.

Its predictions guide registration. ``fold=0 folds=5`` leaves a fifth of the training cases out:
``python -m experiments.cross_validation`` does so with each fifth.

To go on where a run ended, however it ended: ``python experiments/segment.py resume RUN``, with
its number, its folder or ``latest``.

``print_config`` lists every entry of the configuration, ``print_named_configs`` the named ones.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments import settings
from experiments.announce import announce_data
from experiments.errors import said_plainly
from experiments.folds import SPLIT_NAMES
from experiments.program import run_program
from experiments.segmentation.cases import load_cases
from experiments.segmentation.configs import add_segmentation_configs
from experiments.segmentation.fit import fit
from experiments.signals import STOP
from experiments.tracking import artifacts_folder, new_experiment, plain
from hipreg.training import Team

if TYPE_CHECKING:
    from sacred.run import Run

NAME = "segment"

experiment = new_experiment(NAME)
add_segmentation_configs(experiment)


@experiment.main
def main(_run: Run, _config: Mapping[str, Any]) -> float | None:
    """Train, evaluate on the reported cases, and leave everything in the run's folder."""
    config = plain(_config)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    with tempfile.TemporaryDirectory() as scratch:
        with STOP.at_once():
            with said_plainly():
                cases = load_cases(config, settings.device(config))
            announce_data(
                _run,
                config,
                cases.cohort,
                f"training on {len(cases.fit.cases)} cases, "
                f"{len(cases.held[cases.reported].cases)} {SPLIT_NAMES[cases.reported]} cases",
            )
        return fit(_run, config, cases, artifacts_folder(_run) or Path(scratch))


def main_program(arguments: Sequence[str]) -> None:
    """The command line."""
    if Team.launched(os.environ).size > 1:
        sys.exit("Error: a segmentation trains in one process; start it without torchrun")
    run_program(experiment, arguments)


if __name__ == "__main__":
    main_program(sys.argv[1:])
