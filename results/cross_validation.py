"""Tables of a cross-validation, from what ``experiments.cross_validation`` recorded.

    python results/cross_validation.py FOLDER

Each choice over the pairs of all folds, less the reference, pair by pair; and the segmentations on
the cases that they have not seen. They are printed, and written as ``cross_validation.md``,
``choices.csv`` and ``segmentations.csv`` into the folder.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    # Run as a file, the folder of this file is on the path, and the root should be.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.errors import PlainError
from experiments.peers.record import Record, read_record
from experiments.run_folder import write_text
from hipreg.evaluation import LabelMetrics
from pages.grid import NONE, Cell, Grid, number
from results.formats.grids import difference_cell, p_words
from results.formats.text import aligned, markdown_grid, wrapped
from results.measurements import UNREGISTERED, PairTable
from results.metrics import METRICS, Metric, by_label
from results.peers import restricted
from results.samples import known_mean, sample
from results.statistics import Against, Sample, against, holm

PROGRAM = "python results/cross_validation.py"
SHOWN = ("dice", "hd95", "sdlogj", "folding")
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


def choices_grid(rows: Sequence[Choice], plan: Mapping[str, Any]) -> Grid:
    """The table of all choices."""
    metrics = [METRICS[key] for key in SHOWN]
    tails = [(str(len(row.table.pairs)), number(row.cpu_seconds, 2)) for row in rows]
    title = f"{plan['folds']} folds, {len(rows[0].table.pairs)} pairs of training cases"
    return _grid(title, "Choice", rows, metrics, ("Pairs", "CPU s"), tails)


def of_labels(rows: Sequence[Choice]) -> tuple[Metric, ...]:
    """What is shown of segmentations."""
    return (*by_label([DICE], rows[0].table.labels), METRICS["hd95"])


def segmentations_grid(rows: Sequence[Choice], plan: Mapping[str, Any]) -> Grid:
    """The table of the segmentations, by label."""
    metrics = of_labels(rows)
    tails = [(str(len(row.table.pairs)),) for row in rows]
    title = f"Segmentations of the cases that they have not seen, {plan['folds']} folds"
    return _grid(title, "Segmentation", rows, metrics, ("Cases",), tails)


def _grid(
    title: str,
    first: str,
    rows: Sequence[Choice],
    metrics: Sequence[Metric],
    tail_heads: Sequence[str],
    tails: Sequence[Sequence[str]],
) -> Grid:
    heads = [f"{metric.title} {metric.arrow}" for metric in metrics]
    lines = []
    for row, tail in zip(rows, tails, strict=True):
        found = row.against
        tested = (
            (Cell(NONE), Cell(NONE))
            if found is None
            else (difference_cell(found, DICE), Cell(p_words(found.p_holm)))
        )
        dice, *others = [Cell(number(value_of(row, m), m.digits)) for m in metrics]
        lines.append((Cell(row.name), dice, *tested, *others, *map(Cell, tail)))
    heads[1:1] = ["Difference", "p (Holm)"]
    return Grid(title, (first, *heads, *tail_heads), tuple(lines))


def value_of(row: Choice, metric: Metric) -> float:
    """A row's mean over its pairs."""
    return float(known_mean(sample((row.table,), metric, None).values, 0))


def csv_text(rows: Sequence[Choice], metrics: Sequence[Metric], kind: str) -> str:
    """The same numbers for programs; empty where there is none."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    tested = ("difference", "low", "high", "p", "p_holm", "effect", "n")
    keys = [metric.key for metric in metrics]
    writer.writerow([kind, "rows", *keys, *(f"dice_{name}" for name in tested), "cpu_seconds"])
    for row in rows:
        values = [value_of(row, metric) for metric in metrics]
        values += [
            float("nan") if row.against is None else float(getattr(row.against, name))
            for name in tested
        ]
        numbers = ["" if isnan(v) else f"{v:.12g}" for v in (*values, row.cpu_seconds)]
        writer.writerow([row.name, len(row.table.pairs), *numbers])
    return file.getvalue()


def notes(plan: Mapping[str, Any], rows: Sequence[Choice]) -> list[str]:
    """How to read the tables."""
    lines = [
        f"Reference: {plan['recipe']} as it is. Every other row changes one thing of it.",
        "Each network is measured on pairs and cases that it has not been trained on; nothing was "
        "chosen by them, and of each training the last epoch is taken. No row has seen labels of "
        "the pair itself.",
        "Difference: Dice less the reference's on the same pairs with the 95 % interval (BCa "
        "bootstrap); p of the two-sided Wilcoxon signed-rank test after Holm's correction over "
        "the table. Both directions of two cases count as one value, their mean. Rows with "
        "networks of their own differ by the chance of a training too, which one seed a fold does "
        "not tell apart.",
        "CPU s: processor time, median over pairs, predicting the labels included.",
    ]
    lines += [
        f"{kind} {name}: {' '.join(words)}."
        for kind in ("segment", "register")
        for name, words in plan[kind].items()
    ]
    if len({len(row.table.pairs) for row in rows}) > 1:
        lines.append("Not every row has been measured on all pairs: the means are of its own.")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the tables; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of the cross-validation")
    folder = parser.parse_args(arguments).folder
    try:
        plan, found = load(folder)
        rows = choices(plan, found)
        labelled = segmentations(folder, plan)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    grids = [choices_grid(rows, plan)]
    metrics = [METRICS[key] for key in SHOWN]
    write_text(folder / "choices.csv", csv_text(rows, metrics, "choice"))
    if labelled:
        grids.append(segmentations_grid(labelled, plan))
        text = csv_text(labelled, of_labels(labelled), "segmentation")
        write_text(folder / "segmentations.csv", text)
    said = notes(plan, rows)
    print("\n\n".join(aligned(grid, sys.stdout.isatty()) for grid in grids), end="\n\n")
    print("\n".join(map(wrapped, said)))
    records = [record for some in found.values() for record in some]
    commands = sorted({command for one in records for command in one.about["commands"]})
    head = ["<!--", *(f"Recorded by: {command}" for command in commands), "-->"]
    blocks = ["\n".join(head), *(f"**{g.title}**\n\n{markdown_grid(g)}" for g in grids)]
    write_text(folder / "cross_validation.md", "\n\n".join([*blocks, *said]) + "\n")
    return 0


def _group(name: str, groups: Sequence[Container[str]]) -> int:
    return next(i for i, group in enumerate(groups) if name in group)


def _natural(name: str) -> tuple[str, float]:
    """Names in alphabetical order, but for the number at their end."""
    words, _, last = name.rpartition(" ")
    try:
        return words, float(last)
    except ValueError:
        return name, 0.0


if __name__ == "__main__":
    sys.exit(main())
