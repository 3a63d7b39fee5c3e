"""Reads run folders of both formats; imports neither sacred nor torch, so that it starts at once.

A folder that is unfinished or damaged is told of and never fatal. What a run folder holds is said
in :mod:`experiments.run_folder`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from experiments import run_folder
from experiments.process import is_gone
from experiments.series import Series, SeriesBuilder

logger = logging.getLogger(__name__)

_LAST_LINES = 1 << 16
_NUMBERS = frozenset({float, int})  # what is none of them is a word for what JSON lacks

FORMAT = "hipreg run folder 2"
RUNNING, COMPLETED, FAILED, INTERRUPTED = "RUNNING", "COMPLETED", "FAILED", "INTERRUPTED"
TIMEOUT, PRUNED, DIED = "TIMEOUT", "PRUNED", "DIED"
DEAD = "DEAD"
"""What a run is shown as that is recorded as running, and whose process is gone."""

SILENCE = timedelta(minutes=10)
"""A run elsewhere that gave no sign of life for so long is taken for dead; it beats every 10 s."""


@dataclass(frozen=True, slots=True)
class MetricLine:
    """What was logged at once: numbers of one step, by name.

    Attributes:
        step: the epoch.
        time: ISO 8601 in UTC.
        values: floats, non-finite ones too.
    """

    step: int
    time: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class RunRecord:
    """One run folder.

    Attributes:
        id: the name of the folder.
        folder: where it lies.
        document: ``run.json``; see :mod:`experiments.observer` for its entries.
    """

    id: int
    folder: Path
    document: Mapping[str, Any]

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The resolved configuration.

        Raises:
            ValueError: ``config.json`` is missing or no JSON object.
        """
        return read_document(self.folder / run_folder.CONFIG)

    @cached_property
    def info(self) -> Mapping[str, Any]:
        """What the run said about itself.

        Raises:
            ValueError: ``info.json`` is no JSON object.
        """
        path = self.folder / run_folder.INFO
        return read_document(path) if path.exists() else {}

    @property
    def name(self) -> str:
        """The configuration that it stands for."""
        return str(self.document.get("name", ""))

    @property
    def status(self) -> str:
        """The status as recorded, RUNNING for a run that was killed too."""
        return str(self.document.get("status", "unknown"))

    @property
    def shown_status(self) -> str:
        """The status to show: that of a run which cannot be running any more is DEAD."""
        return DEAD if why_dead(self) else self.status

    @property
    def parent(self) -> int | None:
        """The run that this one was resumed from."""
        parent = self.document.get("parent")
        return None if parent is None else int(parent)

    @property
    def lineage(self) -> tuple[int, ...]:
        """The runs of which this one is the continuation, from the first on, and itself."""
        return tuple(int(run) for run in self.document.get("lineage") or ()) or (self.id,)

    @property
    def resumed_at_epoch(self) -> int | None:
        """The last epoch that was taken over from the parent; None for a run of its own."""
        epoch = self.document.get("resumed_at_epoch")
        return None if epoch is None else int(epoch)

    def metrics(self) -> dict[str, Series]:
        """Every number that this run itself logged, by name."""
        return read_metrics(self.folder / run_folder.METRICS)

    def stitched(self) -> dict[str, Series]:
        """Every number by name, those of the runs that this one continues included.

        What a parent logged after the checkpoint that its child started from is left out: the
        child logged it again.
        """
        return _series(self.stitched_lines())

    def stitched_lines(self) -> Iterator[MetricLine]:
        """The lines that :meth:`stitched` is made of, from the first epoch on."""
        for path, last in _parts(self):
            yield from (line for line in read_lines(path) if last is None or line.step <= last)


def read_record(folder: Path) -> RunRecord:
    """Read one run folder, finished or not.

    Raises:
        ValueError: ``run.json`` is missing or no JSON object, or the folder's name no number.
    """
    document = read_document(folder / run_folder.RUN)
    if not folder.name.isdecimal():
        raise ValueError(f"the name of a run folder is its number, got {folder.name!r}")
    return RunRecord(int(folder.name), folder, document)


@dataclass(frozen=True, slots=True)
class Damaged:
    """A run folder that cannot be read, and why."""

    folder: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Records:
    """All that lies under one folder of runs, by ascending id."""

    runs: tuple[RunRecord, ...]
    damaged: tuple[Damaged, ...]


def read_records(root: Path) -> Records:
    """Read every run document under ``root``; none where ``root`` does not exist."""
    runs: list[RunRecord] = []
    damaged: list[Damaged] = []
    for run_id in run_folder.run_ids(root):
        try:
            runs.append(read_record(root / str(run_id)))
        except (OSError, ValueError) as error:
            damaged.append(Damaged(root / str(run_id), str(error)))
    return Records(tuple(runs), tuple(damaged))


def read_document(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ValueError: it is missing or none, naming it.
    """
    try:
        loaded = orjson.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"{path.name} is missing") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"{path.name} should hold an object, got {type(loaded).__name__}")
    return loaded


def read_lines(path: Path) -> Iterator[MetricLine]:
    """The lines of a ``metrics.jsonl`` as they were logged; damaged ones are told of and left out.

    A line of format 1 holds one number, and one of format 2 all numbers that were logged at once.
    """
    bad = 0
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                entry = orjson.loads(line)
                time = entry.get("time", "")
                if "values" in entry:
                    named = entry["values"]
                    if not _NUMBERS.issuperset(map(type, named.values())):
                        named = {name: float(value) for name, value in named.items()}
                else:
                    named = {str(entry["name"]): float(entry["value"])}
                yield MetricLine(int(entry["step"]), time, named)
            except (ValueError, KeyError, TypeError, AttributeError):
                bad += 1
    if bad:
        logger.warning("%s: %d damaged lines are left out", path, bad)


def read_metrics(path: Path) -> dict[str, Series]:
    """The numbers of a ``metrics.jsonl`` by name."""
    return _series(read_lines(path))


def last_sign_of_life(record: RunRecord) -> datetime | None:
    """When the run was last heard of; None for a document without any time."""
    times = [_time(record.document.get(key)) for key in ("start_time", "heartbeat")]
    times.append(_last_metric_time(record.folder / run_folder.METRICS))
    return max((time for time in times if time), default=None)


def why_dead(record: RunRecord, silence: timedelta = SILENCE) -> str | None:
    """Why a run that is recorded as running cannot be; None for every other run.

    Args:
        record: the run.
        silence: how long a run whose process cannot be seen from here may say nothing.
    """
    if record.status != RUNNING:
        return None
    process = record.document.get("process") or {}
    gone = is_gone(process)
    if gone is not None:
        return f"process {process['pid']} on {process['host']} is gone" if gone else None
    last = last_sign_of_life(record)
    if last is not None and datetime.now(UTC) - last < silence:
        return None
    where = process.get("host", "an unnamed host")
    return f"its process on {where} cannot be seen from here; no sign of life since {last}"


def _series(lines: Iterable[MetricLine]) -> dict[str, Series]:
    builder = SeriesBuilder()
    for line in lines:
        builder.add(line.step, line.values)
    return builder.series()


def _parts(record: RunRecord) -> Sequence[tuple[Path, int | None]]:
    """The metrics files of a lineage, each with the last epoch of it that counts."""
    parts: list[tuple[Path, int | None]] = [(record.folder / run_folder.METRICS, None)]
    limit = record.resumed_at_epoch
    for ancestor in reversed(record.lineage[:-1]):
        try:
            older = read_record(record.folder.parent / str(ancestor))
        except ValueError as error:
            logger.warning("run %d: its curves lack run %d: %s", record.id, ancestor, error)
            continue
        parts.append((older.folder / run_folder.METRICS, limit))
        own = older.resumed_at_epoch
        if own is not None:
            limit = own if limit is None else min(limit, own)
    return parts[::-1]


def _time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None


def _last_metric_time(path: Path) -> datetime | None:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_LINES))
            ends = file.read().splitlines()
    except OSError:
        return None
    for line in reversed(ends):
        with suppress(ValueError, TypeError, KeyError):
            return _time(orjson.loads(line)["time"])
    return None
