"""What a cross-validation recorded, as one row a choice with its difference from the reference."""

from __future__ import annotations

import csv
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import PlainError
from experiments.peers.record import Record, read_record
from hipreg.evaluation import LabelMetrics
from results.measurements import UNREGISTERED, PairTable
from results.metrics import METRICS, Metric
from results.peers import restricted
from results.samples import known_mean, sample
from results.statistics import Against, Sample, against, holm

DICE = METRICS["dice"]


@dataclass(frozen=True)
class Choice:
    """One row of a table.

    Attributes:
        name: Of the choice.
        table: What was measured, over all folds.
        cpu_seconds: The median over pairs; nan where none were taken.
        against: The reference; None for the reference itself and where nothing is chosen.
    """

    name: str
    table: PairTable
    cpu_seconds: float = float("nan")
    against: Against | None = None


def load(folder: Path) -> tuple[dict[str, Any], dict[str, list[Record]]]:
    """The plan of a cross-validation, and the records of each choice, a fold each.

    Raises:
        ValueError: There are none, or one is damaged or of other data.
    """
    try:
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        records = [read_record(path) for path in sorted((folder / "pairs").glob("fold_*/*.json"))]
    except (OSError, ValueError, PlainError) as error:
        raise ValueError(
            f"{folder}: no records of python -m experiments.cross_validation ({error})"
        ) from error
    found: dict[str, list[Record]] = {}
    for record in records:
        data = {key: record.about["data"].get(key) for key in plan["data"]}
        if data != plan["data"]:
            raise ValueError(f"{record.path}: its data are {data}, the plan's {plan['data']}")
        if record.rows:
            found.setdefault(str(record.about["method"]), []).append(record)
    if plan["recipe"] not in found:
        raise ValueError(f"{folder}: nothing was measured yet of the reference {plan['recipe']}")
    return plan, found


def choices(plan: Mapping[str, Any], found: Mapping[str, Sequence[Record]]) -> list[Choice]:
    """All rows, the reference first, each with its paired difference in Dice."""
    rows = []
    for name, records in found.items():
        table = PairTable.of([row for one in records for row in one.rows], name)
        spent = [cpu for one in records for _, cpu in one.seconds.values()]
        rows.append(Choice(name, table, float(np.median(spent))))
    groups = ([plan["recipe"]], plan["variants"], found.keys() - {UNREGISTERED}, [UNREGISTERED])
    rows.sort(key=lambda row: (_group(row.name, groups), _natural(row.name)))
    return compared(rows)


def compared(rows: Sequence[Choice]) -> list[Choice]:
    """Rows with what each is against the first, by Dice on the pairs of both."""
    reference, *others = rows
    tests = {
        row.name: paired(row.table, reference.table, DICE)
        for row in others
        if row.name != UNREGISTERED
    }
    corrected = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    return [
        replace(row, against=replace(tests[row.name], p_holm=corrected[row.name]))
        if row.name in tests
        else row
        for row in rows
    ]


def paired(ours: PairTable, theirs: PairTable, metric: Metric) -> Against:
    """One table against another on the pairs of both.

    Two cases are registered in either direction, which are no two independent findings: their
    mean is one value.
    """
    common = set(ours.pairs) & set(theirs.pairs)
    first, second = (units(restricted(table, common), metric) for table in (ours, theirs))
    return against(first, second, metric)


def units(table: PairTable, metric: Metric) -> Sample:
    """One value of every two cases: the mean of both directions."""
    values = sample((table,), metric, None).values
    keys = sorted({tuple(sorted(pair)) for pair in table.pairs})
    at = {pair: i for i, pair in enumerate(table.pairs)}
    both = np.full((2, len(keys)), np.nan)
    for column, (first, second) in enumerate(keys):
        for row, pair in enumerate(((first, second), (second, first))):
            if pair in at and not (row and first == second):
                both[row, column] = values[at[pair]]
    return Sample(known_mean(both, 0), np.ones(len(keys)))


def segmentations(folder: Path, plan: Mapping[str, Any]) -> list[Choice]:
    """Each segmentation on all cases that it has not seen, the reference first.

    Raises:
        ValueError: A table is none.
    """
    found: dict[str, list[LabelMetrics]] = {}
    for path in sorted((folder / "cases").glob("fold_*/*.csv")):
        found.setdefault(path.stem, []).extend(read_cases(path))
    names = sorted(found, key=lambda name: (name != plan["recipe"], name))
    return compared([Choice(name, PairTable.of(found[name], name)) for name in names])


def read_cases(path: Path) -> list[LabelMetrics]:
    """The metrics of single cases, each as a pair of the case and itself.

    Raises:
        ValueError: The file is none of them.
    """
    with path.open(newline="", encoding="utf-8") as file:
        try:
            return [
                LabelMetrics(
                    fixed=int(row["case"]),
                    moving=int(row["case"]),
                    label=int(row["label"]),
                    dice=float(row["dice"]),
                    hd95=float(row["hd95"]),
                    sdlogj=0.0,
                    sdlogj_2020=0.0,
                    folding=0.0,
                )
                for row in csv.DictReader(file)
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path}: no table of cases, labels, Dice and HD95 ({error})"
            ) from error


def value_of(row: Choice, metric: Metric) -> float:
    """A row's mean over its pairs."""
    return float(known_mean(sample((row.table,), metric, None).values, 0))


def _group(name: str, groups: Sequence[Container[str]]) -> int:
    return next(i for i, group in enumerate(groups) if name in group)


def _natural(name: str) -> tuple[str, float]:
    """Names in alphabetical order, but for the number at their end."""
    words, _, last = name.rpartition(" ")
    try:
        return words, float(last)
    except ValueError:
        return name, 0.0
