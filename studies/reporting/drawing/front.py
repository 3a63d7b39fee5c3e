"""Two objectives against each other: what one costs in the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pages.look import PAGE, SMALL, TEXT, Theme, canvas, tidy_axes
from studies.reporting.drawing.marks import best_colour, colour, legend, marker
from studies.reporting.view import COMPLETE, OVER, View, kind, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_NAMED = 16


def missing(view: View) -> str | None:
    """Why there is no front; None where there is one."""
    if len(view.ways) < 2:
        return "the study has one objective; mode pareto has two"
    return None if view.complete else "no trial has come to its end with values"


def caption(view: View) -> str:
    """What the figure shows."""
    wanted = " and ".join(
        f"{'more' if way > 0 else 'less'} {name}"
        for way, name in zip(view.ways[:2], view.objectives, strict=False)
    )
    words = f"The complete trials; {wanted} is better. The {len(view.best)} on the line are the "
    words += "Pareto front, by the numbers of their runs: no other trial is better in one and as "
    words += "good in the other"
    if len(view.ways) > 2:
        words += f" of all {len(view.ways)} objectives, of which two are drawn"
    return words + "."


def front(view: View, theme: Theme) -> Figure:
    """The second objective across, the first one up; the front's trials named by their runs."""
    figure = canvas(PAGE, 3.4, theme)
    axes = figure.subplots()
    tidy_axes(axes, theme)
    for what in (COMPLETE, OVER):
        found = [trial for trial in view.complete if kind(trial) == what]
        if found:
            across, up = zip(*((t.values[1], t.values[0]) for t in found), strict=True)
            ink = colour(what, theme)
            axes.plot(across, up, marker(what), ms=4, mew=0, alpha=0.6, color=ink, label=what)
    best = sorted(view.best, key=lambda trial: trial.values[1])
    if best:
        across, up = zip(*((t.values[1], t.values[0]) for t in best), strict=True)
        ink = best_colour(theme)
        where = "post" if view.ways[1] < 0 else "pre"
        if len(best) > 1:
            axes.step(across, up, where=where, lw=1.0, color=ink, alpha=0.7)
        axes.plot(across, up, "o", ms=5.5, mew=0, color=ink, label="Pareto front")
    # All of them where they have room, else as many as have it, both ends included.
    places = np.linspace(0, len(best) - 1, min(len(best), _MOST_NAMED)).round().astype(int)
    for trial in (best[at] for at in places):
        axes.annotate(
            label(trial).removeprefix("run "),
            (trial.values[1], trial.values[0]),
            xytext=(5, -8 if view.ways[0] > 0 else 5),
            textcoords="offset points",
            size=SMALL,
            color=theme.ink,
        )
    axes.set_xlabel(view.objectives[1], size=TEXT)
    axes.set_ylabel(view.objectives[0], size=TEXT)
    axes.margins(0.08)
    legend(figure, theme)
    return figure
