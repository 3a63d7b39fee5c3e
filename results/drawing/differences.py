"""Per-pair differences from the reference: every pair as a dot, and what they say together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from pages.look import COLUMN, SMALL, TEXT, Theme, canvas, tidy_axes
from results.comparison import Comparison
from results.drawing.look import shown_rows, style_of
from results.metrics import Metric
from results.samples import sample
from results.statistics import paired_differences

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FEWEST_FOR_A_CLOUD = 5


def differences(table: Comparison, metric: Metric, theme: Theme) -> Figure:
    """A raincloud for each method: density, quartiles, a dot a pair, mean and its interval.

    Args:
        table: with a reference.
        metric: one that is a mean over pairs.
        theme: its colours.

    Raises:
        ValueError: the table has no reference, or nothing to compare with it.
    """
    if table.reference is None:
        raise ValueError("differences need a reference row, and this table has none")
    reference = table.row(table.reference)
    rows = [row for row in shown_rows(table) if row.name != reference.name]
    figure = canvas(COLUMN, 0.75 + 0.62 * len(rows), theme)
    axes = figure.subplots()
    base = sample(reference.tables, metric, None).values
    for place, row in enumerate(reversed(rows)):
        drawn = paired_differences(sample(row.tables, metric, None).values, base)
        colour, _ = style_of(table, row, theme)
        _cloud(axes, drawn[np.isfinite(drawn)], place, colour, theme)
        found = row.against[metric.key]
        if np.isfinite(found.difference):
            low, high = found.difference - found.low, found.high - found.difference
            axes.errorbar(
                found.difference,
                place + 0.12,
                xerr=None if np.isnan(low) else [[max(low, 0)], [max(high, 0)]],
                fmt="D",
                ms=3.5,
                color=theme.ink,
                elinewidth=1.2,
                zorder=5,
            )
    _finish(axes, [row.method for row in reversed(rows)], metric, reference.method, theme)
    return figure


def caption(table: Comparison, metric: Metric) -> str:
    """What the figure shows."""
    return (
        f"{metric.title} less that of {table.row(table.reference or '').method}, a dot a pair "
        f"({len(table.subject.pairs)} pairs); the cloud is their density, the bar spans the "
        "quartiles with the median in it, the diamond is the mean with its 95 % interval."
    )


def _cloud(axes: Axes, drawn: Any, place: int, colour: str, theme: Theme) -> None:
    jitter = np.random.default_rng(place).uniform(-0.07, 0.07, drawn.size)
    axes.plot(drawn, place - 0.22 + jitter, "o", ms=2.2, color=colour, alpha=0.65, mew=0)
    if drawn.size >= _FEWEST_FOR_A_CLOUD and np.ptp(drawn) > 0:
        reach = 0.15 * np.ptp(drawn)
        along = np.linspace(drawn.min() - reach, drawn.max() + reach, 200)
        density = stats.gaussian_kde(drawn)(along)
        top = place + 0.05 + 0.42 * density / density.max()
        axes.fill_between(along, place + 0.05, top, color=colour, alpha=0.35, linewidth=0)
    if drawn.size:
        low, middle, high = np.quantile(drawn, [0.25, 0.5, 0.75])
        axes.plot([low, high], [place - 0.05] * 2, color=colour, linewidth=3.2, alpha=0.9)
        axes.plot([middle], [place - 0.05], "|", ms=6, mew=1.2, color=theme.paper)


def _finish(axes: Axes, names: list[str], metric: Metric, reference: str, theme: Theme) -> None:
    tidy_axes(axes, theme, grid="x")
    axes.axvline(0, color=theme.ink, linewidth=0.8, zorder=1)
    axes.set_yticks(range(len(names)), names, size=TEXT, color=theme.ink)
    axes.set_ylim(-0.45, len(names) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"{metric.title}, difference from {reference}")
    better = "better \u2192" if metric.better > 0 else "\u2190 better"
    side = 1.0 if metric.better > 0 else 0.0
    axes.annotate(
        better,
        (side, 1.0),
        xycoords="axes fraction",
        ha="right" if side else "left",
        va="bottom",
        size=SMALL,
        color=theme.ink,
    )
