"""A worker: takes trials from a study's queue and trains them, one after the other.

``python studies/worker.py STUDY`` is what ``studies/search.py`` starts and what a cluster's jobs
run; any number may work on one study. Where the storage has a password it comes by the variable
HIPREG_STUDY_STORAGE alone, which the list of processes does not show.
Stopped by SIGTERM, SIGINT or SIGUSR1 it lets its training write a checkpoint, puts the trial back
into the queue and ends with 128 + the signal.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.run_folder import runs_root
from experiments.signals import STOP, follow_parent
from experiments.words import run_command
from studies.modes import quiet_optuna
from studies.storage import storage_url
from studies.work import TRAIN, Assignment, work

logger = logging.getLogger("hipreg.studies")


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="studies/worker.py", description=__doc__)
    parser.add_argument("study", help="name of a study that studies/search.py made")
    parser.add_argument("--index", type=int, default=0, help="number of this worker")
    parser.add_argument("--cores", default="", help="CPU cores to stay on, as in 0,1")
    parser.add_argument("--storage", help="URL or journal file, as of studies/search.py")
    parser.add_argument("--runs-dir", type=Path, help="folder of runs, as of studies/search.py")
    parser.add_argument("--seed", type=int, help="of the sampler, with the worker's number")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str], program: Sequence[str] = TRAIN) -> int:
    """Work until nothing is left to do.

    Args:
        arguments: The command line.
        program: What trains a trial.
    """
    chosen = options(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    quiet_optuna()
    if chosen.cores:
        os.sched_setaffinity(0, {int(core) for core in chosen.cores.split(",")})
    url = storage_url(chosen.storage, chosen.study)
    runs = chosen.runs_dir or runs_root()
    with STOP.listening():
        follow_parent()
        done = work(
            Assignment(chosen.study, url, runs.absolute(), chosen.index, chosen.seed),
            program,
        )
    if STOP.asked is not None:
        return 128 + STOP.asked
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
