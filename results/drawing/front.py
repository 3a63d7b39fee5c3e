"""Overlap against smoothness: what is gained, and what it costs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from pages.look import COLUMN, MARKERS, SMALL, Theme, canvas, tidy_axes
from results.comparison import Comparison
from results.drawing.look import style_of
from results.measurements import UNREGISTERED
from results.metrics import METRICS
from results.peers import few
from results.published import Published, read_published
from results.rows import Row
from results.samples import sample
from results.smoothness import Curve
from results.statistics import figure as figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DICE, _SDLOGJ = METRICS["dice"], METRICS["sdlogj"]
_PUBLISHED = ("jacobian", "dice")
_FRONT, _PUBLISHED_WORDS = "Pareto front", ", published"
_OURS, _OTHERS, _SYSTEMS = "Ours", "Other programs", "Published"
"""Heads of the legend's columns."""
_LEGEND_WIDTH = 28
"""Letters in a line of them; longer names go on below."""


def front(
    table: Comparison, theme: Theme, peers: Sequence[Row] = (), curve: Curve | None = None
) -> Figure:
    """Dice against SDlogJ of each method with both intervals, its seeds, and the Pareto front.

    Args:
        table: with at least one method that registers.
        theme: its colours.
        peers: other programs on the same pairs; with them all published systems are shown.
        curve: one of the methods at several weights of its smoothness, likewise.
    """
    figure = _canvas(theme, bool(peers), curve is not None)
    axes = figure.subplots()
    points = []
    rows = _ours(table)
    for row in rows:
        colour, marker = style_of(table, row, theme)
        for each in row.tables if len(row.tables) > 1 else ():
            of_seed = [figure_of(sample([each], m, None), m).value for m in (_SDLOGJ, _DICE)]
            axes.plot(*of_seed, marker, ms=2.5, color=colour, alpha=0.55, mew=0)
        points.append(_point(row, axes, colour, marker))
    for row, marker in zip(peers, MARKERS, strict=False):
        points.append(_point(row, axes, theme.ink, marker))
    systems = _systems_of(table) if peers or curve else []
    _systems(systems, axes, theme)
    _published(table, axes, theme)
    if curve:
        along = _line(curve, table, axes, theme)
        # Of fewer pairs it is no match for the methods.
        points += [] if few(table, len(curve.pairs)) else along
    best = pareto(points)
    if len(best) > 1:
        axes.step(
            *zip(*best, strict=True),
            where="post",
            color=theme.ink,
            lw=0.8,
            ls="--",
            zorder=2,
            label=_FRONT,
        )
    tidy_axes(axes, theme)
    axes.set_xlabel("SDlogJ (less is smoother)")
    axes.set_ylabel("Dice")
    axes.margins(0.12)
    if curve:
        ours = [*(row.method for row in rows), _label(curve, table), _FRONT]
        others = [row.method for row in peers]
        published = [_label_of_system(row) for row in systems]
        _legend(figure, axes, theme, {_OURS: ours, _OTHERS: others, _SYSTEMS: published})
    else:
        figure.legend(loc="outside upper left", ncols=2, **_legend_look(theme))
    return figure


def _canvas(theme: Theme, peers: bool, curve: bool) -> Figure:
    if curve:
        return canvas(1.5 * COLUMN, 3.7, theme)
    # The names of other programs and of published systems are long.
    return canvas(1.3 * COLUMN, 3.4, theme) if peers else canvas(COLUMN, 2.7, theme)


def _legend_look(theme: Theme) -> dict[str, Any]:
    return {
        "fontsize": SMALL,
        "frameon": False,
        "labelcolor": theme.ink,
        "handlelength": 1.4,
    }


def _legend(figure: Figure, axes: Axes, theme: Theme, groups: Mapping[str, Sequence[str]]) -> None:
    """A legend with a column for each group under its head."""
    from matplotlib.lines import Line2D

    handles, labels = axes.get_legend_handles_labels()
    drawn = dict(zip(labels, handles, strict=True))
    shown = {head: [n for n in names if n in drawn] for head, names in groups.items()}
    nothing = Line2D([], [], linestyle="none")
    longest = max(map(len, shown.values()))
    entries: list[tuple[Any, str]] = []
    for head, names in shown.items():
        if names:
            entries.append((nothing, head))
            entries += [(drawn[name], _wrapped(name)) for name in names]
            # So that the next group begins a column.
            entries += [(nothing, "")] * (longest - len(names))
    legend = figure.legend(
        *zip(*entries, strict=True),
        loc="outside upper left",
        ncols=len(entries) // (longest + 1),
        columnspacing=1.2,
        **_legend_look(theme),
    )
    for text in legend.get_texts()[:: longest + 1]:
        text.set_fontweight("bold")


def _wrapped(name: str) -> str:
    """As wide as a column; what is published its head says."""
    together = name.removesuffix(_PUBLISHED_WORDS).replace(" pairs)", "\u00a0pairs)")
    return textwrap.fill(together, _LEGEND_WIDTH)


def _line(curve: Curve, table: Comparison, axes: Axes, theme: Theme) -> list[tuple[float, float]]:
    """A method at several weights of its smoothness; returns (SDlogJ, Dice) of each."""
    row = _row_of(curve, table)
    colour = theme.ink if row is None else style_of(table, row, theme)[0]
    points = [(one.figures["sdlogj"].value, one.figures["dice"].value) for one in curve.rows]
    label = _label(curve, table)
    axes.plot(
        *zip(*points, strict=True), "o-", ms=2.5, lw=1.1, color=colour, label=label, zorder=3
    )
    for at, side in ((0, "left"), (-1, "right")):
        axes.annotate(
            f"\u00d7{curve.factors[at]:g}",
            points[at],
            xytext=(3 if side == "left" else -3, 0),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=SMALL,
            color=theme.ink,
        )
    return points


def _ours(table: Comparison) -> list[Row]:
    """The methods that register."""
    return [row for row in table.rows if row.tables and row.name != UNREGISTERED]


def _row_of(curve: Curve, table: Comparison) -> Row | None:
    """The row of the model that a curve is of."""
    return next((row for row in _ours(table) if row.name == curve.model), None)


def _label(curve: Curve, table: Comparison) -> str:
    return f"{curve.model}, by smoothness weight{few(table, len(curve.pairs))}"


def _point(row: Row, axes: Axes, colour: str, marker: str) -> tuple[float, float]:
    """Draw a method with its intervals; returns (SDlogJ, Dice)."""
    dice, sdlogj = (figure_of(sample(row.tables, m, None), m) for m in (_DICE, _SDLOGJ))
    bars = [
        None if isnan(f.low) else [[f.value - f.low], [f.high - f.value]] for f in (sdlogj, dice)
    ]
    axes.errorbar(
        sdlogj.value,
        dice.value,
        xerr=bars[0],
        yerr=bars[1],
        fmt=marker,
        ms=5,
        color=colour,
        elinewidth=1,
        label=row.method,
        zorder=4,
    )
    return sdlogj.value, dice.value


def pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other one beats in both smoothness (less) and Dice (more), by the first.

    Args:
        points: (SDlogJ, Dice); nan is never on the front.
    """
    front: list[tuple[float, float]] = []
    known = {point for point in points if not np.isnan(point).any()}
    for smoothness, dice in sorted(known, key=lambda point: (point[0], -point[1])):
        if not front or dice > front[-1][1]:
            front.append((smoothness, dice))
    return front


def caption(table: Comparison, peers: Sequence[Row] = (), curve: Curve | None = None) -> str:
    """What the figure shows."""
    words = "Dice against SDlogJ (shift 3) with 95 % intervals; small marks are single seeds"
    if peers:
        words += "; in the colour of the text are other programs on the same pairs"
    if curve:
        words += f"; the line is {curve.told}{few(table, len(curve.pairs))}"
    systems = (peers or curve) and _systems_of(table)
    if any(_both_known(row) for row in table.rows) or systems:
        words += "; hollow marks are the published figures, whose shift is not said"
    return words + ". Up and left is better."


def _published(table: Comparison, axes: Axes, theme: Theme) -> None:
    for row in filter(_both_known, table.rows):
        colour, marker = style_of(table, row, theme)
        values = [row.published[key] for key in _PUBLISHED]
        axes.plot(*values, marker, ms=5, mfc="none", color=colour, mew=1)


def _both_known(row: Row) -> bool:
    """Whether a method has runs of ours and both published figures."""
    published = [row.published.get(key, float("nan")) for key in _PUBLISHED]
    return bool(row.tables) and not np.isnan(published).any()


def _systems(systems: Sequence[Published], axes: Axes, theme: Theme) -> None:
    """The published systems, hollow."""
    for row, marker in zip(systems, MARKERS, strict=False):
        axes.plot(
            *(row.figures[key] for key in _PUBLISHED),
            marker,
            ms=5,
            mfc="none",
            color=theme.ink,
            mew=1,
            label=_label_of_system(row),
        )


def _label_of_system(row: Published) -> str:
    return row.method + _PUBLISHED_WORDS


def _systems_of(table: Comparison) -> list[Published]:
    """The published figures of the same split that no run of ours stands for."""
    ours = {row.name for row in table.rows if row.tables}
    return [
        row
        for row in read_published()
        if row.split == table.split
        and row.dataset == table.subject.dataset
        and row.name not in ours
        and not np.isnan([row.figures[key] for key in _PUBLISHED]).any()
    ]
