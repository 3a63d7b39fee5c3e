"""What the commands that train networks share: processes, signals, data, records, the end."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from sacred import Experiment

from experiments.cases import Cases
from experiments.errors import said_plainly
from experiments.fit import fit, follow
from experiments.resume import command_line
from experiments.run_folder import runs_root
from experiments.signals import STOP, follow_parent, left_to_the_leader
from experiments.team import beside_the_leader, leading, leave_at_once, own_device
from experiments.tracking import artifacts_folder, runs_folder
from hipreg.training import Team, distributed

if TYPE_CHECKING:
    from sacred.run import Run

Load = Callable[[Mapping[str, Any], torch.device], Cases]
Announce = Callable[["Run", Mapping[str, Any], Cases], None]


def run_training(
    run: Run,
    config: Mapping[str, Any],
    *,
    load: Load,
    announce: Announce,
    at_end: Callable[[Path], None] | None = None,
) -> float | None:
    """Train, evaluate the best weights, and leave everything in the run's folder.

    Args:
        run: Gets metrics and artifacts.
        config: Plain values.
        load: Finds and checks the data.
        announce: Says and records which data this is.
        at_end: As in ``experiments.fit.fit``.
    """
    team = Team.launched(os.environ)
    if not team.leads:
        distributed.connect(team)
        distributed.meet()
        cases = load(config, own_device(config, team))
        with left_to_the_leader():
            follow(config, cases, runs_folder(run), team=team)
        return None
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    with leading(), tempfile.TemporaryDirectory() as scratch:
        with STOP.at_once():
            distributed.connect(team)
            with said_plainly():
                cases = load(config, own_device(config, team))
            announce(run, config, cases)
        folder = artifacts_folder(run) or Path(scratch)
        return fit(run, config, cases, folder, team=team, at_end=at_end)


def run_program(experiment: Experiment, arguments: Sequence[str]) -> None:
    """The command line of an experiment that trains, in each process of a training.

    Args:
        experiment: Its name is that of its file.
        arguments: The command line without the program; ``resume RUN`` is understood.
    """
    team = Team.launched(os.environ)
    name = experiment.path
    try:
        words = command_line(arguments, runs_root(), leads=team.leads, experiment=name)
    except ValueError as error:
        sys.exit(f"Error: {error}")
    signals = STOP.listening() if team.leads else nullcontext()
    with beside_the_leader(team) as added, signals:
        follow_parent()
        experiment.run_commandline([sys.argv[0], *added, *words])
    if not team.leads:
        leave_at_once()
