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
import sys
from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Run as a file, the folder of this file is on the path, and the root should be.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.run_folder import write_text
from pages.grid import NONE, Cell, Grid, number
from results.choices import DICE, Choice, choices, load, segmentations, value_of
from results.formats.grids import difference_cell, p_words
from results.formats.text import aligned, markdown_grid, wrapped
from results.metrics import METRICS, Metric, by_label

PROGRAM = "python results/cross_validation.py"
SHOWN = ("dice", "hd95", "sdlogj", "folding")


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


if __name__ == "__main__":
    sys.exit(main())
