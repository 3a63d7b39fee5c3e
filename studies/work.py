"""What a worker does with a study."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.trial import TrialState

from experiments.errors import PlainError
from experiments.signals import STOP
from studies import schema
from studies.modes import make_pruner, make_sampler, worker_seed
from studies.plan import plan_of, refuse_differences
from studies.storage import load_study, open_storage
from studies.trainer import BrokenOffError, Trainer, TrialFailedError
from studies.trials import QueuedStudy, QueueEmptyError, counted, is_done, revive

logger = logging.getLogger("hipreg.studies")

_ROOT = Path(__file__).resolve().parents[1]
TRAIN = (sys.executable, str(_ROOT / "experiments" / "train.py"))
"""What trains a trial."""

IDLE = 2.0
"""Seconds between two looks at a queue that is empty."""

_MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker works on.

    Attributes:
        study: Name.
        url: Storage.
        runs: The folder of all runs.
        worker: Its number.
        seed: Of the study; None for another one every time.
    """

    study: str
    url: str
    runs: Path
    worker: int = 0
    seed: int | None = None


def work(task: Assignment, program: Sequence[str] = TRAIN) -> bool:
    """Train what waits, until nothing does and no other worker could leave something behind.

    Args:
        task: Where.
        program: What trains a trial.

    Returns:
        Whether the study is done; False where it was stopped or trials cannot be trained.

    Raises:
        PlainError: The study began with another space, data or metric definition.
    """
    study = open_queue(task)
    plan = plan_of(study)
    refuse_differences(task.study, study.user_attrs, plan.attributes())
    trainer = Trainer(study.study_name, plan, task.runs, tuple(program))
    while STOP.asked is None:
        revive(study, task.runs)
        refuse_hopeless(study)
        try:
            take_one(study, trainer)
        except QueueEmptyError:
            if all(map(is_done, counted(study.get_trials(deepcopy=False)))):
                return True
            time.sleep(IDLE)
    revive(study, task.runs)
    return False


def open_queue(task: Assignment) -> QueuedStudy:
    """The study as a worker takes it, with a sampler of its own seed."""
    storage = open_storage(task.url)
    kept = load_study(storage, task.study)
    settings = kept.user_attrs[schema.PRUNER]
    seed = worker_seed(task.seed, task.worker, len(kept.get_trials(deepcopy=False)))
    return QueuedStudy(
        task.study,
        storage,
        sampler=make_sampler(kept.user_attrs.get(schema.SAMPLER, "tpe"), seed),
        pruner=make_pruner(None if settings == "none" else settings),
    )


def take_one(study: optuna.Study, train: Trainer) -> None:
    """Take one trial from the queue and train it.

    Raises:
        QueueEmptyError: None waits.
    """
    try:
        study.optimize(train, n_trials=1, catch=(BrokenOffError, TrialFailedError))
    except (ValueError, optuna.exceptions.UpdateFinishedTrialError):
        # Taken for lost (this machine slept, or the network did) and given to another worker.
        number = train.number
        if number is None or not study.trials[number].state.is_finished():
            raise
        logger.warning("trial %d was taken for lost; another one goes on with it", number)


def refuse_hopeless(study: optuna.Study) -> None:
    """Stop a study whose first trials all failed.

    Raises:
        PlainError: Naming why.
    """
    ended = [trial for trial in counted(study.get_trials(deepcopy=False)) if is_done(trial)]
    failed = [trial for trial in ended if trial.state == TrialState.FAIL]
    if len(failed) >= _MOST_FAILURES and len(failed) == len(ended):
        why = failed[-1].user_attrs.get(schema.FAILED, "its worker died again and again")
        raise PlainError(f"all {len(failed)} trials failed, the last one with: {why}")
