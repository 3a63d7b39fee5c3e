"""Train a registration network: ``python experiments/train.py with sym pretrain``.

On N GPUs: ``torchrun --nproc-per-node=N experiments/train.py with sym pretrain``.

To go on where a run ended, however it ended: ``python experiments/train.py resume RUN``, with its
number, its folder or ``latest``.

``print_config`` lists every entry of the configuration, ``print_named_configs`` the named ones.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.cases import Cases, load_cases
from experiments.configs import add_configs, choose_dataset
from experiments.errors import said_plainly
from experiments.fit import fit, follow
from experiments.resume import command_line
from experiments.run_folder import runs_root
from experiments.signals import STOP, follow_parent, left_to_the_leader
from experiments.team import beside_the_leader, leading, own_device
from experiments.tracking import artifacts_folder, new_experiment, plain, runs_folder
from hipreg.evaluation import DEFINITIONS
from hipreg.training import Team, distributed

if TYPE_CHECKING:
    from sacred.run import Run

logger = logging.getLogger("hipreg.train")

experiment = new_experiment("train")
add_configs(experiment)


@experiment.main
def main(_run: Run, _config: Mapping[str, Any]) -> float | None:
    """Train, evaluate on the validation pairs, and leave everything in the run's folder."""
    team, config = Team.launched(os.environ), plain(_config)
    if not team.leads:
        distributed.connect(team)
        distributed.meet()
        cases = load_cases(config, own_device(config, team))
        with left_to_the_leader():
            follow(config, cases, runs_folder(_run), team=team)
        return None
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    with leading(), tempfile.TemporaryDirectory() as scratch:
        with STOP.at_once():
            distributed.connect(team)
            with said_plainly():
                cases = load_cases(config, own_device(config, team))
            announce_data(_run, config, cases)
        return fit(_run, config, cases, artifacts_folder(_run) or Path(scratch), team=team)


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
        len(cases.fit.cases),
        len(cases.pairs["val"]),
    )
    run.info["data"] = {"dataset": description.name, "fingerprint": cases.cohort.fingerprint}
    run.info["metric_definitions"] = DEFINITIONS


def sacred_arguments(arguments: Sequence[str], team: Team) -> list[str]:
    """Sacred's arguments for those of the command line, of which ``resume`` is our own."""
    try:
        return command_line(arguments, runs_root(), leads=team.leads)
    except ValueError as error:
        sys.exit(f"Error: {error}")


def main_program(arguments: Sequence[str]) -> None:
    """The command line, in each process of a training."""
    team = Team.launched(os.environ)
    signals = STOP.listening() if team.leads else nullcontext()
    with beside_the_leader(team) as added, signals:
        follow_parent()
        experiment.run_commandline([sys.argv[0], *added, *sacred_arguments(arguments, team)])


if __name__ == "__main__":
    main_program(sys.argv[1:])
