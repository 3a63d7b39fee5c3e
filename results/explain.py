"""Where a number comes from: its runs, its pairs, and the way from them to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pages.grid import number
from results.comparison import Comparison
from results.formats.grids import title
from results.measurements import UNREGISTERED, PairTable
from results.metrics import Metric
from results.rows import Row
from results.samples import hardest, sample


def explain(table: Comparison, row_name: str, column: str) -> str:
    """Everything behind one cell, to be worked out again by hand.

    Args:
        table: that the cell stands in.
        row_name: the row's name or words.
        column: the metric's key or title.

    Raises:
        ValueError: there is no such row or column, or no run behind the cell.
    """
    row, metric = table.row(row_name), table.metric(column)
    if not row.tables:
        published = row.published.get(metric.published or "")
        raise ValueError(
            f"no run stands for {row.method!r}: "
            + (f"{published} is the published figure" if published else "there is no figure")
        )
    return "\n".join([*_head(table, row, metric), "", *_pairs(table, row, metric)]) + "\n"


def _head(table: Comparison, row: Row, metric: Metric) -> Iterator[str]:
    figure = row.figures[metric.key]
    yield f"{row.method}, {metric.title}: {figure.value!r}"
    yield (
        f"  95 % interval {figure.low!r} to {figure.high!r}, sd {figure.sd!r}, n {figure.n} "
        f"pairs, {figure.infinite} of them infinite"
    )
    yield f"  {metric.meaning}"
    yield f"Measured on: {title(table)} ({table.subject.digest}), data {table.subject.fingerprint}"
    if metric.published and metric.published in row.published:
        yield f"Published: {number(row.published[metric.published], metric.digits)}"
    found = row.against.get(metric.key)
    if found is not None:
        yield (
            f"Against {table.reference}: {found.difference!r} ({found.low!r} to {found.high!r}), "
            f"p {found.p!r}, Holm {found.p_holm!r}, effect {found.effect!r}, n {found.n}"
        )
    name = UNREGISTERED if row.name == UNREGISTERED else table.split
    for item in row.runs:
        run = item.run
        parts = " + ".join(map(str, run.lineage))
        yield (
            f"Run {run.id} ({parts}): {run.name}, seed {item.seed}, configuration "
            f"{item.configuration}, code {run.code}, {run.pairs(name).name}"
        )


def _pairs(table: Comparison, row: Row, metric: Metric) -> Iterator[str]:
    initial = next((item.initial for item in reversed(table.runs) if item.initial), None)
    values = sample(row.tables, metric, initial).values
    labels = _labels(row.tables[0], metric)
    heads = [f"seed {item.seed}{name}" for item in row.runs for name, _ in labels]
    widths = [max(len(head), 12) for head in heads]
    yield "  ".join(
        [f"{'fixed':>6}  {'moving':>6}  {'value':>10}"]
        + [head.rjust(width) for head, width in zip(heads, widths, strict=True)]
    )
    chosen = _chosen(row.tables[0], metric, initial)
    for i in sorted(range(len(values)), key=lambda i: (np.isnan(values[i]), values[i])):
        cells = [
            number(float(each.values[metric.column][i, j]), 6) + ("" if chosen[i, j] else " out")
            for each in row.tables
            for _, j in labels
        ]
        fixed, moving = table.subject.pairs[i]
        yield "  ".join(
            [f"{fixed:>6}  {moving:>6}  {number(float(values[i]), 6):>10}"]
            + [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        )


def _labels(table: PairTable, metric: Metric) -> list[tuple[str, int]]:
    """Words and places of the labels that count."""
    if not metric.per_label:
        return [("", 0)]
    return [
        (f", label {label}", j)
        for j, label in enumerate(table.labels)
        if metric.label in (None, label)
    ]


def _chosen(table: PairTable, metric: Metric, initial: PairTable | None) -> np.ndarray:
    if metric.reduce == "hardest" and initial is not None:
        return hardest(initial)
    return np.ones((len(table.pairs), len(table.labels)), dtype=bool)
