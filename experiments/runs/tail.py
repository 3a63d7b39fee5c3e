"""The last values of a metrics file, read from its end: long trainings cost no more than short."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import orjson

from experiments.runs.wording import parsed_time

_BLOCK = 16 * 1024
_LEAST_LOOK = 64 * 1024
_LONGEST_LINE = 1024 * 1024


@dataclass(slots=True)
class Tail:
    """What the end of a metrics file says.

    Attributes:
        values: the last value of each metric that was met, and its step.
        step: the last step; None where there is none.
        time: when it was logged.
    """

    values: dict[str, tuple[int, float]] = field(default_factory=dict)
    step: int | None = None
    time: datetime | None = None

    def until(self, last: int | None) -> Tail:
        """What a run that goes on after step ``last`` (None: the last of all) takes over."""
        if last is None or self.step is None or self.step <= last:
            return Tail(self.values, self.step)
        values = {name: point for name, point in self.values.items() if point[0] <= last}
        return Tail(values, last)


def read_tail(path: Path, wanted: frozenset[str] | None, *, steps: int = 20) -> Tail:
    """Read the end of a metrics file of format 1 or 2 backwards, no further than is needed.

    Args:
        path: a ``metrics.jsonl``; where it is missing or unreadable the tail is empty.
        wanted: the search ends as soon as all of these metrics were met; None: it does not.
        steps: how many steps back a metric may have been logged last; the last 64 KiB are
            searched whatever this is.
    """
    tail = Tail()
    seen: set[int] = set()
    missing = set(wanted or ())
    try:
        with path.open("rb") as file:
            for line, looked in _lines_backwards(file):
                _take(line, tail, seen)
                missing.difference_update(tail.values)
                # In format 1 a step has many lines: it is over when the one before it begins.
                found = wanted is not None and not missing and len(seen) > 1
                if found or (looked > _LEAST_LOOK and len(seen) > steps):
                    break
    except OSError:
        pass  # vanished or not readable: the run shows as having logged nothing
    return tail


def first_logged(path: Path) -> tuple[int, datetime] | None:
    """Step and time of the first line of a metrics file; None where it has none."""
    try:
        with path.open("rb") as file:
            entry = orjson.loads(file.readline(_LONGEST_LINE))
            step, time = int(entry["step"]), parsed_time(entry.get("time"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return None if time is None else (step, time)


def _take(line: bytes, tail: Tail, seen: set[int]) -> None:
    try:
        entry = orjson.loads(line)
        step = int(entry["step"])
        values = entry["values"] if "values" in entry else {entry["name"]: entry["value"]}
        points = {str(name): (step, float(value)) for name, value in values.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    seen.add(step)
    if tail.step is None:
        tail.step, tail.time = step, parsed_time(entry.get("time"))
    for name, point in points.items():
        tail.values.setdefault(name, point)


def _lines_backwards(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Whole lines from the last to the first, and how many bytes were read so far."""
    position = end = file.seek(0, os.SEEK_END)
    rest = b""
    while position > 0:
        start = max(0, position - _BLOCK)
        file.seek(start)
        block = file.read(position - start) + rest
        position = start
        first, *lines = block.split(b"\n")
        for line in reversed(lines):
            if line:
                yield line, end - position
        rest = first
        if len(rest) > _LONGEST_LINE:
            return  # no line of ours; whatever it is, it is not worth the memory
    if rest:
        yield rest, end
