"""What the trials of a study cost beside training: ``python studies/overhead.py STUDY``.

For each finished trial of mode ``single`` or ``pareto``: *start-up* is from the moment a worker
took it to its first training step (a new process, its imports, the data), *machinery* what the
worker itself spent on it: sampling, storing, deciding on pruning, watching the training.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from optuna.trial import FrozenTrial, TrialState

from experiments import run_folder
from experiments.errors import PlainError
from experiments.records import read_lines
from experiments.words import run_command
from studies.modes import quiet_optuna
from studies.schema import MACHINERY, RETRY_OF, RUN_FOLDER
from studies.storage import load_study, open_storage, storage_url

LARGEST_STARTUP, LARGEST_SHARE = 4.0, 0.01
"""What is promised: seconds from process start to first step, and the machinery's share."""


def startup(trial: FrozenTrial, runs: Path) -> float | None:
    """Seconds from a trial's begin to its first step; None where its record does not say.

    The first epoch's line is written at its end. What evaluation it had counts as start-up.
    """
    line = next(read_lines(runs / trial.user_attrs[RUN_FOLDER] / run_folder.METRICS), None)
    if line is None or trial.datetime_start is None or "epoch_seconds" not in line.values:
        return None
    begun = trial.datetime_start.astimezone(UTC)
    logged = datetime.fromisoformat(line.time)
    return (logged - begun).total_seconds() - line.values["epoch_seconds"]


def report(trials: Sequence[FrozenTrial], runs: Path) -> str:
    """Medians over trials, beside what is promised.

    Raises:
        PlainError: No trial was trained in one piece.
    """
    whole = [
        trial
        for trial in trials
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        and RETRY_OF not in trial.user_attrs
        and {MACHINERY, RUN_FOLDER} <= set(trial.user_attrs)
        and trial.duration is not None
    ]
    if not whole:
        raise PlainError("no trial of this study was trained in one piece")
    seconds = [trial.duration.total_seconds() for trial in whole if trial.duration]
    machinery = [trial.user_attrs[MACHINERY] for trial in whole]
    shares = [spent / whole for spent, whole in zip(machinery, seconds, strict=True)]
    starts = [found for trial in whole if (found := startup(trial, runs)) is not None]
    lines = [
        f"{len(whole)} trials, medians:",
        f"  trial      {statistics.median(seconds):8.2f} s",
        f"  machinery  {statistics.median(machinery):8.3f} s, "
        f"{100 * statistics.median(shares):.2f} % (at most {100 * LARGEST_SHARE:.0f} %)",
    ]
    if starts:
        lines.insert(
            2, f"  start-up   {statistics.median(starts):8.2f} s (at most {LARGEST_STARTUP:.0f} s)"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """Print the report of a study."""
    parser = argparse.ArgumentParser(
        prog="studies/overhead.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("study", help="its name")
    parser.add_argument("--storage", help="URL or journal file, as of studies/search.py")
    chosen = parser.parse_args(arguments)
    quiet_optuna()
    study = load_study(open_storage(storage_url(chosen.storage, chosen.study)), chosen.study)
    print(report(study.get_trials(deepcopy=False), run_folder.runs_root()))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
