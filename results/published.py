"""The published figures that ours stand beside."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PUBLISHED = Path(__file__).with_name("published.csv")
FIGURES = ("dice", "dice30", "hd95", "jacobian")


@dataclass(frozen=True, slots=True)
class Published:
    """One row of published figures; nan where none was published.

    Attributes:
        name: the configuration here that stands for the row.
        method: its words in the table.
        split: what it was measured on.
        dataset: of which data set.
        figures: dice, dice30, hd95, jacobian.
    """

    name: str
    method: str
    split: str
    dataset: str
    figures: Mapping[str, float]


def read_published(path: Path = PUBLISHED) -> list[Published]:
    """The published rows in the order of the file, whose "#" lines give the source."""
    with path.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(line for line in file if not line.startswith("#"))
        return [
            Published(
                name=entry["name"],
                method=entry["method"],
                split=entry["split"],
                dataset=entry["dataset"],
                figures={key: float(entry[key] or "nan") for key in FIGURES},
            )
            for entry in table
        ]
