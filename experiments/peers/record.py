"""What a folder holds of each method: ``NAME.csv``, metrics of every pair and label as predict.py
writes them, and ``NAME.json``, all that they hang on and what each pair took.

A pair is done once it is in the CSV. Both files are replaced whole after every pair, the CSV
last, so that a kill at any moment loses the pair in hand at most.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.errors import PlainError
from experiments.plain import plain
from experiments.run_folder import write_json
from hipreg.data.pairs import CasePair
from hipreg.evaluation.rows import LabelMetrics, read_rows, write_rows

FORMAT = 1
DECIDING = (
    "format",
    "method",
    "kind",
    "settings",
    "size",
    "versions",
    "data",
    "metric_definitions",
    "threads",
    "cpu",
)
"""What must be equal for pairs to stand in one record."""


@dataclass(slots=True)
class Record:
    """The pairs that one method has registered.

    Attributes:
        path: The JSON file.
        about: What it holds besides the times, plain values.
        seconds: Wall clock and processor seconds of each pair.
        rows: Metrics of the same pairs.
    """

    path: Path
    about: dict[str, Any]
    seconds: dict[CasePair, tuple[float, float]] = field(default_factory=dict)
    rows: list[LabelMetrics] = field(default_factory=list)

    @property
    def table(self) -> Path:
        """The CSV file."""
        return self.path.with_suffix(".csv")

    @property
    def done(self) -> set[CasePair]:
        """The pairs that are in it."""
        return {CasePair(row.fixed, row.moving) for row in self.rows}

    def add(
        self, pair: CasePair, rows: Sequence[LabelMetrics], seconds: float, cpu_seconds: float
    ) -> None:
        """Put a registered pair on record."""
        self.seconds[pair] = seconds, cpu_seconds
        self.rows = sorted([*self.rows, *rows], key=lambda row: (row.fixed, row.moving, row.label))
        self.write()

    def write(self) -> None:
        """Bring both files to the disk."""
        times = {
            f"{pair.fixed}-{pair.moving}": self.seconds[pair] for pair in sorted(self.seconds)
        }
        write_json(self.path, plain({**self.about, "seconds": times}))
        write_rows(self.table, self.rows)


def read_record(path: Path) -> Record:
    """Read what a method has done; a pair without metrics is not done.

    Args:
        path: The JSON file.

    Raises:
        PlainError: One of the two files is missing or damaged.
    """
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        times = about.pop("seconds")
        seconds = {_pair(name): (float(wall), float(cpu)) for name, (wall, cpu) in times.items()}
        table = path.with_suffix(".csv")
        # Killed between the first two writes there is none yet.
        rows = read_rows(table) if table.exists() or len(seconds) > 1 else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlainError(
            f"{path}: no readable record of registered pairs ({error}); delete it and the CSV "
            "beside it to register its pairs anew"
        ) from error
    record = Record(path, about, {}, rows)
    lacking = record.done - set(seconds)
    if lacking:
        raise PlainError(f"{path}: it lacks the seconds of {len(lacking)} pairs of its CSV")
    record.seconds = {pair: seconds[pair] for pair in record.done}
    return record


def open_record(path: Path, about: Mapping[str, Any]) -> Record:
    """A method's record to go on with, or a new one.

    Raises:
        PlainError: There is one that was made otherwise; names the difference.
    """
    wanted = plain(about)
    if not path.exists():
        return Record(path, wanted)
    found = read_record(path)
    different = [
        text
        for key in DECIDING
        for text in differences(key, found.about.get(key), wanted.get(key))
    ]
    if different:
        raise PlainError(
            f"{path} is of other pairs' registrations, which cannot be mixed: "
            f"{'; '.join(different)}. Ask for the same, or give another --out"
        )
    found.about["commands"] = list(
        dict.fromkeys([*found.about.get("commands", []), *wanted["commands"]])
    )
    return found


def differences(name: str, there: Any, asked: Any) -> list[str]:
    """In what two settings differ, each difference in words that begin with its name."""
    if isinstance(there, dict) and isinstance(asked, dict):
        keys = sorted({*there, *asked})
        return [
            text
            for key in keys
            for text in differences(f"{name}.{key}", there.get(key), asked.get(key))
        ]
    return [] if there == asked else [f"{name} {there!r} there, {asked!r} asked for"]


def _pair(name: str) -> CasePair:
    fixed, moving = name.split("-")
    return CasePair(int(fixed), int(moving))
