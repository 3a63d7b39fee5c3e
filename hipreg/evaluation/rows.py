"""Metrics as rows, one per pair and label, and the CSV file that keeps them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from hipreg.files import replacing

DEFINITIONS = 1
"""Counts what the columns have meant: raised when one is worked out in another way, so that no
table mixes runs from before and after."""

NO_LABEL = 0
"""The label of the one row of a pair without labels: smoothness alone, Dice and HD95 nan."""


@dataclass(frozen=True, slots=True)
class LabelMetrics:
    """How well one label of one pair was registered.

    Attributes:
        fixed: Case number of the fixed image.
        moving: Case number of the moving image.
        label: The label that ``dice`` and ``hd95`` speak of; ``NO_LABEL`` for a pair without.
        dice: 0 to 1; nan when the label is absent from the fixed or the moving case.
        hd95: Voxels; nan as for ``dice``; inf when only the warped label is empty.
        sdlogj: Spread of the pair's log-Jacobian, convention "l2r"; the same on all its rows.
        sdlogj_2020: The same under the convention "2020".
        folding: Share of the pair's voxels that are folded, 0 to 1.
    """

    fixed: int
    moving: int
    label: int
    dice: float
    hd95: float
    sdlogj: float
    sdlogj_2020: float
    folding: float


_COLUMNS = tuple(field.name for field in fields(LabelMetrics))


def write_rows(path: Path, rows: Iterable[LabelMetrics]) -> None:
    """Write rows as CSV; the file appears whole or not at all.

    Args:
        path: The file; an existing one is replaced. Its folder must exist.
        rows: In the order to be kept. Numbers, nan and inf come back from :func:`read_rows` bit
            for bit.
    """
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(path: Path) -> list[LabelMetrics]:
    """Read rows written by :func:`write_rows`.

    Args:
        path: The CSV file.

    Returns:
        The rows in the file's order.

    Raises:
        ValueError: If the columns differ or a value is no number, naming the file and line.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = tuple(next(reader, ()))
        if header != _COLUMNS:
            raise ValueError(f"{path}: got the columns {header}, wanted {_COLUMNS}")
        return [_parse(values, f"{path}, line {reader.line_num}") for values in reader]


def _parse(values: list[str], where: str) -> LabelMetrics:
    if len(values) != len(_COLUMNS):
        raise ValueError(f"{where}: got {len(values)} values, wanted {len(_COLUMNS)}")
    try:
        fixed, moving, label = map(int, values[:3])
        return LabelMetrics(fixed, moving, label, *map(float, values[3:]))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
