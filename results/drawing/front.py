"""Overlap against smoothness: what is gained, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from pages.look import COLUMN, MARKERS, SMALL, Theme, canvas, tidy_axes
from results.comparison import Comparison
from results.drawing.look import style_of
from results.measurements import UNREGISTERED
from results.metrics import METRICS
from results.published import Published, read_published
from results.rows import Row
from results.samples import sample
from results.statistics import figure as figure_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DICE, _SDLOGJ = METRICS["dice"], METRICS["sdlogj"]
_PUBLISHED = ("jacobian", "dice")


def front(table: Comparison, theme: Theme, peers: Sequence[Row] = ()) -> Figure:
    """Dice against SDlogJ of each method with both intervals, its seeds, and the Pareto front.

    Args:
        table: with at least one method that registers.
        theme: its colours.
        peers: other programs on the same pairs; with them all published systems are shown.
    """
    # The names of other programs and of published systems are long.
    figure = canvas(1.3 * COLUMN, 3.4, theme) if peers else canvas(COLUMN, 2.7, theme)
    axes = figure.subplots()
    points = []
    rows = [row for row in table.rows if row.tables and row.name != UNREGISTERED]
    for row in rows:
        colour, marker = style_of(table, row, theme)
        for each in row.tables if len(row.tables) > 1 else ():
            of_seed = [figure_of(sample([each], m, None), m).value for m in (_SDLOGJ, _DICE)]
            axes.plot(*of_seed, marker, ms=2.5, color=colour, alpha=0.55, mew=0)
        points.append(_point(row, axes, colour, marker))
    for row, marker in zip(peers, MARKERS, strict=False):
        points.append(_point(row, axes, theme.ink, marker))
    if peers:
        _systems(table, axes, theme)
    _published(table, axes, theme)
    best = pareto(points)
    if len(best) > 1:
        axes.step(
            *zip(*best, strict=True),
            where="post",
            color=theme.ink,
            lw=0.8,
            ls="--",
            zorder=2,
            label="Pareto front",
        )
    tidy_axes(axes, theme)
    axes.set_xlabel("SDlogJ (less is smoother)")
    axes.set_ylabel("Dice")
    axes.margins(0.12)
    figure.legend(
        loc="outside upper left",
        ncols=2,
        fontsize=SMALL,
        frameon=False,
        labelcolor=theme.ink,
        handlelength=1.4,
    )
    return figure


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


def caption(table: Comparison, peers: Sequence[Row] = ()) -> str:
    """What the figure shows."""
    words = "Dice against SDlogJ (shift 3) with 95 % intervals; small marks are single seeds"
    if peers:
        words += "; in the colour of the text are other programs on the same pairs"
    if any(_both_known(row) for row in table.rows) or (peers and _systems_of(table)):
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


def _systems(table: Comparison, axes: Axes, theme: Theme) -> None:
    """The published systems, hollow."""
    for row, marker in zip(_systems_of(table), MARKERS, strict=False):
        axes.plot(
            *(row.figures[key] for key in _PUBLISHED),
            marker,
            ms=5,
            mfc="none",
            color=theme.ink,
            mew=1,
            label=f"{row.method}, published",
        )


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
