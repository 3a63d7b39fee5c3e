"""What a worker does with a study, and with each of its trials."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from experiments.ends import close_if_dead
from experiments.errors import PlainError
from experiments.process import is_gone
from experiments.records import (
    COMPLETED,
    FAILED,
    PRUNED,
    RUNNING,
    RunRecord,
    read_record,
    read_records,
)
from experiments.signals import STOP
from studies import schema
from studies.modes import make_pruner, make_sampler, worker_seed
from studies.plan import Plan, plan_of, refuse_differences
from studies.storage import load_study, open_storage
from studies.training import PATIENCE, Curve, Training, assignments, data_of, results, why_failed
from studies.trials import (
    QueuedStudy,
    QueueEmptyError,
    counted,
    earlier_numbers,
    faster_retry,
    is_done,
    revive,
)

logger = logging.getLogger("hipreg.studies")

_ROOT = Path(__file__).resolve().parents[1]
TRAIN = (sys.executable, str(_ROOT / "experiments" / "train.py"))
"""What trains a trial."""

POLL, IDLE = 0.25, 2.0
"""Seconds between two looks at a training, and at a queue that is empty."""

_MOST_FAILURES = 3


class BrokenOffError(Exception):
    """A trial that another one is to go on with."""


class TrialFailedError(Exception):
    """A trial that cannot be trained."""


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


class Trainer:
    """Trains one trial after the other, as Optuna's objective function.

    Attributes:
        number: Of the newest trial.
    """

    def __init__(self, study: str, plan: Plan, runs: Path, program: tuple[str, ...]) -> None:
        self.study, self.plan, self.runs, self.program = study, plan, runs, program
        self.number: int | None = None

    def __call__(self, trial: optuna.Trial) -> list[float]:
        """Train a trial to its end.

        Raises:
            TrialPruned: It is worse than the others.
            BrokenOffError: It is to be gone on with.
            TrialFailedError: It cannot be trained.
        """
        self.number = trial.number
        faster = faster_retry(trial.study, trial)
        if faster is not None:
            self._fail(trial, f"trial {faster} goes on with the same")
        if STOP.asked is not None:
            raise BrokenOffError
        entries = self.plan.space.suggest(trial)
        trial.set_user_attr(schema.ENTRIES, entries)
        earlier = self._earlier(trial)
        if earlier is not None and earlier.status in (COMPLETED, PRUNED, FAILED):
            link(trial, earlier)
            return self._close(trial, earlier)  # its worker died before it could say so
        with Training(self._command(trial, entries, earlier), self.runs) as training:
            curve = self._follow(trial, training)
            record = training.ended_run()
            if record is not None:
                link(trial, record)
                return self._close(trial, record, curve)
            if training.killed:
                raise BrokenOffError
            self._fail(trial, training.last_words())

    def _follow(self, trial: optuna.Trial, training: Training) -> Curve | None:
        """Report its Dice as it comes, and end it where that is called for."""
        curve: Curve | None = None
        asked = False
        while True:
            running = training.running()
            if STOP.asked is not None and not asked:
                training.ask(STOP.asked)
                asked = True
            record = training.run() if curve is None else None
            if record is not None:
                link(trial, record)
                curve = Curve(record.folder)
            if curve is not None:
                worse = self._report(trial, curve)
                if worse and running and not asked:
                    training.ask(signal.SIGUSR2)
                    asked = True
            if not running:
                return curve
            time.sleep(POLL)

    def _report(self, trial: optuna.Trial, curve: Curve) -> bool:
        """Tell the study what is new; whether the trial is to be pruned."""
        if not self.plan.mode.prunes:
            return False
        worse = False
        for epoch, dice in curve.new():
            trial.report(dice, epoch)
            worse = worse or (epoch < self.plan.epochs and trial.should_prune())
        return worse

    def _close(
        self, trial: optuna.Trial, record: RunRecord, curve: Curve | None = None
    ) -> list[float]:
        """Store what a run that ended was, and say so to the study."""
        found = results(record)
        for name, value in found.items():
            trial.set_user_attr(name, value)
        self._report(trial, curve or Curve(record.folder))
        for name, limit in self.plan.mode.limits.items():
            value = found.get(name, math.nan)
            trial.set_constraint(name, value - limit if math.isfinite(value) else 1.0)
        if record.status == PRUNED:
            raise optuna.TrialPruned
        if record.status == FAILED:
            self._fail(trial, why_failed(record))
        if record.status != COMPLETED:
            raise BrokenOffError
        self._refuse_other_data(trial, record)
        values = [found.get(name, math.nan) for name in self.plan.mode.objectives]
        if not all(map(math.isfinite, values)):
            self._fail(trial, f"run {record.id} recorded no finite {self.plan.mode.objectives}")
        return values

    def _refuse_other_data(self, trial: optuna.Trial, record: RunRecord) -> None:
        agreed = {"data": self.plan.data, "metric definitions": self.plan.metrics}
        now = {"data": data_of(record), "metric definitions": record.info.get(schema.METRICS)}
        for what, value in now.items():
            if value not in (None, agreed[what]):
                self._fail(trial, f"the {what} changed: {value}, the study has {agreed[what]}")

    def _command(
        self, trial: optuna.Trial, entries: dict[str, Any], earlier: RunRecord | None
    ) -> list[str]:
        threads = {} if "threads" in self.plan.given else {"threads": own_cores()}
        if earlier is not None:
            changed = assignments({"trial": trial.number, **threads})
            return [*self.program, "resume", str(earlier.folder), "with", *changed]
        limit = {} if "max_minutes" in self.plan.given else {"max_minutes": None}
        ours = {"epochs": self.plan.epochs, "study": self.study, "trial": trial.number}
        added = assignments({**entries, **limit, **threads, **ours})
        return [*self.program, "with", *self.plan.overrides, *added]

    def _earlier(self, trial: optuna.Trial) -> RunRecord | None:
        """The run that a trial goes on with, ended; None for a new trial."""
        if schema.RETRY_OF not in trial.user_attrs:
            return None
        numbers = earlier_numbers(trial.study, trial.user_attrs[schema.RETRY_OF])
        records = read_records(self.runs).runs
        found = [record for record in records if of_trial(record, self.study) in numbers]
        return ended(found[-1]) if found else None

    def _fail(self, trial: optuna.Trial, why: str) -> Any:
        trial.set_user_attr(schema.FAILED, why)
        raise TrialFailedError(why)


def link(trial: optuna.Trial, record: RunRecord) -> None:
    """Let a trial name its run."""
    trial.set_user_attr(schema.RUN, str(record.id))
    trial.set_user_attr(schema.RUN_FOLDER, record.folder.name)


def of_trial(record: RunRecord, study: str) -> int | None:
    """Number of the trial of ``study`` that a run is; None for all other runs."""
    try:
        return record.config.get("trial") if record.config.get("study") == study else None
    except ValueError:
        return None


def ended(record: RunRecord, patience: float = PATIENCE) -> RunRecord:
    """A run whose worker is gone, once it has ended; one of this machine that does not is killed.

    Raises:
        BrokenOffError: This process is asked to end.
    """
    deadline = time.monotonic() + patience
    while record.status == RUNNING:
        closed = close_if_dead(record)
        if closed is not None:
            return closed
        if STOP.asked is not None:
            raise BrokenOffError
        process = record.document.get("process") or {}
        if time.monotonic() > deadline and is_gone(process) is False:
            os.kill(int(process["pid"]), signal.SIGKILL)
        time.sleep(POLL)
        record = read_record(record.folder)
    return record


def own_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))
