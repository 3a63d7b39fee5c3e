"""One training as a process of its own: started, followed, asked to end, never left behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from experiments import child, run_folder
from experiments.records import RunRecord, read_record
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

_DICE, _SDLOGJ, _FOLDING = "selection/dice", "selection/sdlogj", "selection/folding"
_COSTS = (SECONDS_PER_PAIR, TRAINING_SECONDS_PER_PAIR, MEMORY_MB)


class Training(child.Training):
    """A trial's training, of which nothing that it starts or records gets to know the password of
    the database."""

    def __init__(self, command: Sequence[str], runs: Path) -> None:
        """Start ``command``, whose run is recorded under ``runs``."""
        super().__init__(command, runs, hidden=frozenset({STORAGE}))


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
