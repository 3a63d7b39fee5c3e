"""How the trainings went: a line a method, a band over its seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pages.look import PAGE, SMALL, TEXT, Theme, canvas, tidy_axes
from results.comparison import Comparison
from results.drawing.look import style_of
from results.measurements import UNREGISTERED
from results.rows import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CHARTS = {
    "selection/dice": "Dice, selection pairs",
    "val/dice": "Dice, validation pairs",
    "train/loss": "Loss, training pairs",
}


def curves(table: Comparison, theme: Theme) -> Figure | None:
    """Learning curves of all methods; None where no run logged any.

    Args:
        table: whose runs they are.
        theme: its colours.
    """
    rows = [row for row in table.rows if row.runs and row.name != UNREGISTERED]
    logged = {name for row in rows for item in row.runs for name in item.run.metrics}
    charts = [name for name in _CHARTS if name in logged]
    if not charts:
        return None
    figure = canvas(PAGE, 2.35, theme)
    for axes, name in zip(figure.subplots(1, len(charts), squeeze=False)[0], charts, strict=True):
        for row in rows:
            found = _over_seeds(row, name)
            if found is None:
                continue
            steps, middle, low, high = found
            colour, marker = style_of(table, row, theme)
            axes.fill_between(steps, low, high, color=colour, alpha=0.25, linewidth=0)
            every = max(1, len(steps) // 6)
            axes.plot(
                steps,
                middle,
                color=colour,
                lw=1.3,
                marker=marker,
                ms=3,
                markevery=every,
                label=row.method,
            )
        tidy_axes(axes, theme)
        axes.set_title(_CHARTS[name], size=TEXT, color=theme.ink, loc="left")
        axes.set_xlabel("epoch")
        axes.margins(x=0.02)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside upper left",
        ncols=4,
        fontsize=SMALL,
        frameon=False,
        labelcolor=theme.ink,
    )
    return figure


def caption(table: Comparison) -> str:
    """What the figure shows."""
    seeds = max((len(row.runs) for row in table.rows), default=1)
    band = "; bands span the seeds, lines are their mean" if seeds > 1 else ", one seed each"
    return (
        f"Learning curves{band}. The selection pairs choose the best epoch, the validation pairs "
        "decide nothing."
    )


def _over_seeds(row: Row, name: str) -> tuple[Any, Any, Any, Any] | None:
    """Steps, mean, lowest and highest over the runs that logged each step."""
    by_step: dict[int, list[float]] = {}
    for item in row.runs:
        for step, value in item.run.metrics.get(name, ()):
            if np.isfinite(value):
                by_step.setdefault(step, []).append(value)
    if not by_step:
        return None
    steps = np.array(sorted(by_step))
    values = [by_step[step] for step in steps]
    return steps, *(np.array([of(some) for some in values]) for of in (np.mean, np.min, np.max))
