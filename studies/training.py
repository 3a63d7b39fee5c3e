"""One training as a process of its own: started, followed, asked to end, never left behind."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from experiments import run_folder
from experiments.ends import close_if_dead
from experiments.records import RunRecord, read_record
from experiments.signals import LIFELINE
from studies.schema import (
    DICE,
    EPOCHS,
    FOLDING,
    MEMORY_MB,
    SDLOGJ,
    SECONDS,
    SECONDS_PER_PAIR,
    TRAINING_SECONDS_PER_PAIR,
)
from studies.storage import STORAGE

PATIENCE = 120.0
"""Seconds that a training gets to write its checkpoint and to end."""

_MOST_WORDS = 4000
_DICE, _SDLOGJ, _FOLDING = "selection/dice", "selection/sdlogj", "selection/folding"
_COSTS = (SECONDS_PER_PAIR, TRAINING_SECONDS_PER_PAIR, MEMORY_MB)


class Training:
    """A command that records a run, as a child that ends when this process does.

    It has a session of its own, so that Ctrl-C reaches it through this process alone.
    """

    def __init__(self, command: Sequence[str], runs: Path) -> None:
        """Start ``command``, whose run is recorded under ``runs``."""
        self._runs = runs
        self._before = max(run_folder.run_ids(runs), default=0)
        self._record: RunRecord | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        theirs, self._lifeline = os.pipe()
        # Nothing that it starts or records gets to know the database's password.
        environment = {name: value for name, value in os.environ.items() if name != STORAGE}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs,),
                start_new_session=True,
                env={**environment, LIFELINE: str(theirs), "HIPREG_RUNS": str(runs)},
            )
        except BaseException:
            os.close(self._lifeline)
            self._output.close()
            raise
        finally:
            os.close(theirs)

    def __enter__(self) -> Training:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it where it still runs, and close its record."""
        if self.running():
            self.ask(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._lifeline)
        self._output.close()

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def ask(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def run(self) -> RunRecord | None:
        """Its run as it is now; None before there is one."""
        if self._record is None:
            for run_id in reversed(run_folder.run_ids(self._runs)):
                if run_id <= self._before:
                    return None
                try:
                    record = read_record(self._runs / str(run_id))
                except (OSError, ValueError):
                    continue
                process = record.document.get("process") or {}
                # Another machine may record in the same folder, from a process of this number.
                ours = {"host": platform.node(), "pid": self._process.pid}
                if ours.items() <= {key: process.get(key) for key in ours}.items():
                    self._record = record
                    break
        return self._record

    def ended_run(self) -> RunRecord | None:
        """Its run once it has ended, closed where it was killed; None where it made none."""
        record = self.run()
        if record is None:
            return None
        return close_if_dead(record) or read_record(record.folder)

    @property
    def killed(self) -> bool:
        """Whether a signal ended it."""
        return (self._process.poll() or 0) < 0

    def last_words(self) -> str:
        """The end of what it printed."""
        self._output.seek(0)
        lines = self._output.read()[-_MOST_WORDS:].decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def assignments(entries: Mapping[str, Any]) -> list[str]:
    """Configuration entries as arguments after ``with``."""
    return [f"{name}={value!r}" for name, value in entries.items()]


class Curve:
    """The Dice of a run by epoch, read as it grows."""

    def __init__(self, folder: Path) -> None:
        """Read nothing yet of the run in ``folder``."""
        self._folder, self._size = folder, -1
        self._known: set[int] = set()

    def new(self) -> list[tuple[int, float]]:
        """(epoch, Dice) that were not there before, those of the runs that it continues first."""
        path = self._folder / run_folder.METRICS
        size = path.stat().st_size if path.exists() else 0
        if size == self._size:
            return []
        self._size = size
        series = read_record(self._folder).stitched().get(_DICE, ())
        points = [(step, value) for step, value in series if step not in self._known]
        self._known.update(step for step, _ in points)
        return points


def results(record: RunRecord) -> dict[str, Any]:
    """What a trial stores of its run: metrics at the best epoch, cost, extent; what there is."""
    series = record.stitched()
    found: dict[str, Any] = {SECONDS: seconds_of(record)}
    points = dict(series.get(_DICE, ()))
    if points:
        best = max(points, key=lambda step: points[step])
        found[DICE], found[EPOCHS] = float(points[best]), int(max(points))
        for name, metric in ((SDLOGJ, _SDLOGJ), (FOLDING, _FOLDING)):
            values = dict(series.get(metric, ()))
            if best in values:
                found[name] = float(values[best])
    cost = record.info.get("cost") or {}
    return found | {name: float(cost[name]) for name in _COSTS if name in cost}


def seconds_of(record: RunRecord) -> float:
    """Wall time of a run and of those that it continues, from their starts to their ends."""
    total = 0.0
    for run_id in record.lineage:
        document = record.document
        if run_id != record.id:
            try:
                document = read_record(record.folder.parent / str(run_id)).document
            except (OSError, ValueError):
                continue
        times = (document.get("start_time"), document.get("stop_time"))
        if all(times):
            begun, ended = (datetime.fromisoformat(str(time)) for time in times)
            total += (ended - begun).total_seconds()
    return total


def data_of(record: RunRecord) -> str | None:
    """Data set and fingerprint that a run trained on, as a study names them."""
    data = record.info.get("data")
    return f"{data['dataset']} {data['fingerprint']}" if data else None


def why_failed(record: RunRecord) -> str:
    """The last line of a failed run's traceback."""
    trace = "".join(record.document.get("fail_trace") or [])
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    return lines[-1] if lines else f"run {record.id} ended as {record.status}"
