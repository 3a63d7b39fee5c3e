"""From numbers to words: a comparison as grids of cells, which every format then sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan

from pages.grid import NONE, Cell, Grid, Mark, number
from results.comparison import Comparison
from results.measurements import UNREGISTERED
from results.metrics import Metric
from results.ranking import STABILITY_RESAMPLES
from results.rows import Row
from results.statistics import RESAMPLES, Against, Figure


def grids(table: Comparison) -> list[Grid]:
    """All that a comparison has to show: figures, differences and rank scores."""
    return [grid for grid in (figures(table), differences(table), ranks(table)) if grid.rows]


def title(table: Comparison) -> str:
    """What the table is of, in a few words."""
    subject = table.subject
    return f"{subject.dataset}, {table.split}, {len(subject.pairs)} pairs"


def figures(table: Comparison) -> Grid:
    """The methods' figures with intervals, each published one beside ours."""
    shown = [metric for metric in table.metrics if _published(table, metric)]
    heads = ["Method"]
    for metric in table.metrics:
        heads.append(f"{metric.title} {metric.arrow}")
        if metric in shown:
            heads.append("paper")
    marks = {metric.key: _marks(table, metric) for metric in table.metrics}
    rows = []
    for i, row in enumerate(table.rows):
        cells = [Cell(row.method)]
        for metric in table.metrics:
            figure = row.figures.get(metric.key)
            cells.append(_figure(figure, metric, marks[metric.key][i]))
            if metric in shown:
                value = row.published.get(metric.published or "")
                cells.append(Cell(NONE if value is None else number(value, metric.digits)))
        cells.append(Cell(ids(row.ids) or NONE))
        rows.append(tuple(cells))
    return Grid(title(table), (*heads, "Runs"), tuple(rows))


def differences(table: Comparison) -> Grid:
    """Each method against the reference, a line a metric."""
    heads = ("Method", "Metric", "Difference", "95 % interval", "p", "p (Holm)", "Effect", "n")
    rows = []
    for row in table.rows:
        for metric in table.metrics:
            found = row.against.get(metric.key)
            if found is not None:
                rows.append(_difference(row, metric, found))
    name = table.row(table.reference).method if table.reference is not None else ""
    return Grid(f"Paired differences from {name}", heads, tuple(rows))


def ranks(table: Comparison) -> Grid:
    """The challenge's rank scores by both tests, with how stable the places are."""
    heads = ["Method"]
    for scores in table.ranks:
        heads += [f"Score, {scores.test}", "Place", "First"]
    rows = []
    for i, name in enumerate(table.ranked if table.ranks else ()):
        cells = [Cell(table.row(name).method)]
        for scores in table.ranks:
            low, high = int(scores.low[i]), int(scores.high[i])
            cells += [
                Cell(number(float(scores.score[i]), 3)),
                Cell(str(int(scores.place[i])), f"[{low}, {high}]"),
                Cell(f"{100 * scores.first[i]:.0f} %"),
            ]
        rows.append(tuple(cells))
    return Grid("Rank score of the challenge", tuple(heads), tuple(rows))


def legend(tables: Iterable[Comparison]) -> list[str]:
    """How to read the tables, a sentence or two a line."""
    tables = list(tables)
    metrics = {metric.key: metric for table in tables for metric in table.metrics}
    lines = [f"{'. '.join(metric.meaning for metric in metrics.values())}."]
    lines.append(
        "Cells: mean \u00b1 standard deviation over pairs, seeds averaged within a pair first (of "
        "a quantile no deviation), and the 95 % interval (BCa bootstrap over pairs, "
        f"{RESAMPLES} resamples). Best bold, second underlined; no registration cannot win in "
        "smoothness."
    )
    if any(row.against for table in tables for row in table.rows):
        lines.append(
            "Differences: the method less the reference on the same pairs, with their BCa "
            "interval; p of the two-sided Wilcoxon signed-rank test (not for quantiles), Holm: "
            "corrected for all tests of the table; effect: matched rank-biserial correlation, 1 "
            "where every pair is higher; n: pairs compared."
        )
    if any(table.ranks for table in tables):
        lines.append(
            "Rank score: as in the ranking code of Learn2Reg, over Dice, Dice30 (hardest), HD95 "
            "and Jacobian; rank-sum is the test of that code, signed-rank the paired one. Place: "
            "with the range of 95 % and First: the share of first places over "
            f"{STABILITY_RESAMPLES} resampled pair sets."
        )
    if any(row.published for table in tables for row in table.rows):
        lines.append("Paper: arXiv:2010.10897.")
    return lines


def provenance(tables: Iterable[Comparison], command: str) -> list[str]:
    """The lines at the head of every file: command, data, runs and code versions."""
    lines = [f"Made by: {command}"]
    for table in tables:
        subject = table.subject
        lines += [
            f"Data: {title(table)} ({subject.digest}); fingerprint {subject.fingerprint}; "
            f"metric definitions {subject.definitions}",
            f"Runs: {ids([item.run.id for item in table.runs])}",
        ]
        lines += [
            f"  run {item.run.id}: {item.run.name}, seed {item.seed}, configuration "
            f"{item.configuration}, code {item.run.code}{_after(item.run.lineage)}"
            for item in table.runs
        ]
    return [*lines, "A + after a code version stands for uncommitted changes."]


def ids(numbers: Sequence[int]) -> str:
    """Numbers of runs, those in a row by the first and the last."""
    parts: list[list[int]] = []
    for one in sorted(numbers):
        if parts and one == parts[-1][-1] + 1:
            parts[-1].append(one)
        else:
            parts.append([one])
    return ", ".join(
        f"{part[0]}-{part[-1]}" if len(part) > 2 else ", ".join(map(str, part)) for part in parts
    )


def _after(runs: Sequence[int]) -> str:
    before = ", ".join(map(str, runs[:-1]))
    return f", continued from {before}" if before else ""


def _published(table: Comparison, metric: Metric) -> bool:
    return metric.published is not None and any(
        metric.published in r.published for r in table.rows
    )


def _marks(table: Comparison, metric: Metric) -> list[Mark]:
    values = [
        None
        if row.name == UNREGISTERED and metric.trivial_unregistered
        else _value(row, metric.key)
        for row in table.rows
    ]
    order = sorted({value for value in values if value is not None}, reverse=metric.better > 0)
    if sum(value is not None for value in values) < 2:
        return [""] * len(values)
    words: dict[float, Mark] = dict(zip(order, ("best", "second"), strict=False))
    return ["" if value is None else words.get(value, "") for value in values]


def _value(row: Row, key: str) -> float | None:
    figure = row.figures.get(key)
    return None if figure is None or isnan(figure.value) else figure.value


def _figure(figure: Figure | None, metric: Metric, mark: Mark) -> Cell:
    if figure is None or isnan(figure.value):
        return Cell(NONE)
    text = number(figure.value, metric.digits)
    if not isnan(figure.sd):
        text += f" \u00b1 {number(figure.sd, metric.digits)}"
    under = [_interval(figure.low, figure.high, metric)]
    if figure.infinite:
        under.append(f"{figure.infinite} infinite")
    return Cell(text, ", ".join(filter(None, under)), mark)


def _interval(low: float, high: float, metric: Metric) -> str:
    if isnan(low):
        return ""
    return f"[{number(low, metric.digits)}, {number(high, metric.digits)}]"


def _difference(row: Row, metric: Metric, found: Against) -> tuple[Cell, ...]:
    difference = difference_cell(found, metric)
    return (
        Cell(row.method),
        Cell(f"{metric.title} {metric.arrow}"),
        Cell(difference.text),
        Cell(difference.under or NONE),
        Cell(p_words(found.p)),
        Cell(p_words(found.p_holm)),
        Cell(number(found.effect, 2)),
        Cell(str(found.n)),
    )


def difference_cell(found: Against, metric: Metric) -> Cell:
    """A difference with its sign, above its interval."""
    difference = number(found.difference, metric.digits)
    sign = "+" if found.difference > 0 and float(difference.replace("inf", "1")) else ""
    return Cell(sign + difference, _interval(found.low, found.high, metric))


def p_words(value: float) -> str:
    """A p-value in a table; "-" for nan."""
    if isnan(value):
        return NONE
    return "<0.0001" if value < 0.0001 else f"{value:.4f}"
