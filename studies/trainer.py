"""Trains the trials of a study, one after the other, each as a run of its own."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import optuna

from experiments.child import PATIENCE, why_failed
from experiments.ends import close_if_dead
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
from experiments.words import assignments
from studies import schema
from studies.plan import Plan
from studies.training import Curve, Training, data_of, results
from studies.trials import earlier_numbers, faster_retry

CLOCKS = timedelta(minutes=1)
"""By how much the clocks of two machines may differ."""

POLL = 0.25
"""Seconds between two looks at a training."""


class BrokenOffError(Exception):
    """A trial that another one is to go on with."""


class TrialFailedError(Exception):
    """A trial that cannot be trained."""


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
        self.number, clock = trial.number, Clock()
        faster = faster_retry(trial.study, trial)
        if faster is not None:
            self._fail(trial, f"trial {faster} goes on with the same")
        if STOP.asked is not None:
            raise BrokenOffError
        entries = self.plan.space.suggest(trial)
        trial.set_user_attr(schema.ENTRIES, entries)
        earlier = self._earlier(trial, entries)
        if earlier is not None and earlier.status in (COMPLETED, PRUNED, FAILED):
            link(trial, earlier)
            return self._close(trial, earlier)  # its worker died before it could say so
        with Training(self._command(trial, entries, earlier), self.runs) as training:
            with clock.waiting():
                curve = self._follow(trial, training)
            record = training.ended_run()
            if record is not None:
                link(trial, record)
                trial.set_user_attr(schema.MACHINERY, clock.spent())
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

    def _earlier(self, trial: optuna.Trial, entries: dict[str, Any]) -> RunRecord | None:
        """The run that a trial goes on with, ended; None for a new trial."""
        if schema.RETRY_OF not in trial.user_attrs:
            return None
        numbers = earlier_numbers(trial.study, trial.user_attrs[schema.RETRY_OF])
        first = trial.study.trials[min(numbers)].datetime_start
        found = [
            record
            for record in read_records(self.runs).runs
            if of_trial(record, self.study) in numbers
            # The runs of a study that was deleted may bear the same name and number.
            and is_since(record, first)
            and all(record.config.get(name) == value for name, value in entries.items())
        ]
        return ended(found[-1]) if found else None

    def _fail(self, trial: optuna.Trial, why: str) -> Any:
        trial.set_user_attr(schema.FAILED, why)
        raise TrialFailedError(why)


class Clock:
    """What a worker spends on a trial: wall time, and CPU time alone while it waits."""

    def __init__(self) -> None:
        """Start."""
        self._start, self._waited = time.perf_counter(), 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A time in which another process does the work."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self._waited += time.perf_counter() - wall - (time.process_time() - cpu)

    def spent(self) -> float:
        """Seconds so far."""
        return time.perf_counter() - self._start - self._waited


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


def is_since(record: RunRecord, moment: datetime | None) -> bool:
    """Whether a run began after a moment of Optuna's, which are local times."""
    start = record.document.get("start_time")
    if start is None or moment is None:
        return False
    return datetime.fromisoformat(start) > moment.astimezone(UTC) - CLOCKS


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
