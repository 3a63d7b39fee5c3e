"""Where configurations win: every pair of every method at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pages.look import PAGE, SMALL, TEXT, Theme, canvas, tidy_axes
from results.comparison import Comparison
from results.drawing.look import shown_rows
from results.metrics import Metric
from results.samples import sample
from results.statistics import paired_differences

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def wins(table: Comparison, metric: Metric, theme: Theme) -> Figure:
    """A heat map of the gain over the reference, a column a pair, the winner of each marked.

    Args:
        table: with a reference.
        metric: one that is a mean over pairs.
        theme: its colours.

    Raises:
        ValueError: the table has no reference.
    """
    from matplotlib.colors import LinearSegmentedColormap

    if table.reference is None:
        raise ValueError("a map of wins needs a reference row, and this table has none")
    reference = table.row(table.reference)
    rows = shown_rows(table)
    if reference.name not in {row.name for row in rows}:
        rows = [reference, *rows]
    values = np.stack([sample(row.tables, metric, None).values for row in rows])
    base = sample(reference.tables, metric, None).values
    order = np.argsort(metric.better * base, kind="stable")
    values, base = values[:, order], base[order]
    gain = np.stack([metric.better * paired_differences(line, base) for line in values])
    figure = canvas(PAGE, 1.15 + 0.27 * len(rows), theme)
    axes = figure.subplots()
    known = np.abs(gain[np.isfinite(gain)])
    limit = float(np.quantile(known, 0.98)) if known.any() else 1.0
    scale = LinearSegmentedColormap.from_list("gain", theme.gain)
    image = axes.imshow(
        gain, aspect="auto", cmap=scale, vmin=-limit, vmax=limit, interpolation="nearest"
    )
    best = winners(metric.better * values)
    for i, j in zip(*np.nonzero(best), strict=True):
        axes.plot(j, i, "o", ms=2.6, color=theme.ink, mec=theme.paper, mew=0.4)
    tidy_axes(axes, theme, grid="none")
    names = [f"{row.method}  ({int(best[i].sum())})" for i, row in enumerate(rows)]
    axes.set_yticks(range(len(rows)), names, size=TEXT, color=theme.ink)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"pairs, from the hardest for {reference.method} to the easiest")
    bar = figure.colorbar(image, ax=axes, pad=0.01, aspect=12)
    bar.set_label(f"gain in {metric.title}", size=SMALL, color=theme.ink)
    bar.ax.tick_params(
        labelsize=SMALL, width=0.5, length=2, color=theme.faint, labelcolor=theme.ink
    )
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def winners(quality: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which methods have the best value of each pair; equal ones all do.

    Args:
        quality: (methods, pairs), more is better; nan never wins.
    """
    known = np.where(np.isnan(quality), -np.inf, quality)
    return (known == known.max(0)) & ~np.isnan(quality)


def caption(table: Comparison, metric: Metric) -> str:
    """What the figure shows."""
    return (
        f"Gain in {metric.title} over {table.row(table.reference or '').method} for each of the "
        f"{len(table.subject.pairs)} pairs; dots mark the best method of a pair, numbers count "
        "them (equal ones for each)."
    )
