"""How the search went: each trial's value in the order of the trials, and the best so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pages.look import PAGE, TEXT, Theme, canvas, tidy_axes
from studies.reporting.drawing.marks import MANY, best_colour, colour, legend, marker
from studies.reporting.view import COMPLETE, OVER, PRUNED, View, kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def missing(view: View) -> str | None:
    """Why there is no history; None where there is one."""
    return None if view.complete else "no trial has come to its end with a value"


def caption(view: View) -> str:
    """What the figure shows."""
    words = "Each complete trial's value in the order of the trials; the line is the best so far"
    if view.count(OVER):
        words += ", in which trials over a limit do not count"
    if view.count(PRUNED) and len(view.ways) == 1:
        words += "; crosses are pruned trials at the last value that they reported"
    return words + "."


def history(view: View, theme: Theme) -> Figure:
    """One panel an objective."""
    figure = canvas(PAGE, 2.5 if len(view.ways) == 1 else 2.0 * len(view.ways), theme)
    rows = figure.subplots(len(view.ways), 1, sharex=True, squeeze=False)[:, 0]
    for place, axes in enumerate(rows):
        _panel(axes, view, place, theme)
    rows[-1].set_xlabel("trial", size=TEXT)
    legend(figure, theme)
    return figure


def _panel(axes: Axes, view: View, place: int, theme: Theme) -> None:
    tidy_axes(axes, theme)
    many = len(view.trials) > MANY
    for what in (COMPLETE, OVER):
        found = [trial for trial in view.complete if kind(trial) == what]
        if found:
            axes.plot(
                [trial.number for trial in found],
                [trial.values[place] for trial in found],
                marker(what),
                ms=3.2,
                mew=0,
                alpha=0.75,
                color=colour(what, theme),
                label=what,
                rasterized=many,
            )
    if len(view.ways) == 1:
        _pruned(axes, view, theme)
    best = np.array([[t.number, t.values[place]] for t in view.feasible], float)
    if len(best):
        keep = np.maximum if view.ways[place] > 0 else np.minimum
        steps = np.append(best[:, 0], max(view.trials[-1].number, best[-1, 0]))
        so_far = keep.accumulate(best[:, 1])
        axes.step(
            steps,
            np.append(so_far, so_far[-1]),
            where="post",
            lw=1.4,
            color=best_colour(theme),
            label="best so far",
        )
    axes.set_ylabel(view.objectives[place], size=TEXT)
    axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
    axes.margins(x=0.02, y=0.08)


def _pruned(axes: Axes, view: View, theme: Theme) -> None:
    ends = [
        (trial.number, trial.intermediate_values[max(trial.intermediate_values)])
        for trial in view.trials
        if kind(trial) == PRUNED and trial.intermediate_values
    ]
    if ends:
        axes.plot(
            *zip(*ends, strict=True),
            marker(PRUNED),
            ms=3,
            mew=0.8,
            color=colour(PRUNED, theme),
            label=PRUNED,
            rasterized=len(view.trials) > MANY,
        )
