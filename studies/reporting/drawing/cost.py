"""Dice against what a pair costs to register, with the point where more cost stops to pay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial

from pages.look import PAGE, SMALL, TEXT, Theme, canvas, tidy_axes
from studies import schema
from studies.reporting.drawing.marks import best_colour, colour, few_ticks, legend
from studies.reporting.knee import RULE, front, knee
from studies.reporting.view import COMPLETE, View, label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = "channel_multiplication"
"""The parameter that trials are named by here, where they have it."""


def missing(view: View) -> str | None:
    """Why Dice cannot be drawn against cost; None where it can."""
    if priced(view):
        return None
    return "no complete trial recorded its Dice and its seconds per pair"


def caption(view: View) -> str:
    """What the figure shows."""
    words = "Dice on the selection pairs against the seconds that a pair takes to register"
    if any(WIDTH in trial.params for trial in priced(view)):
        words += "; the numbers are the channel multiplication"
    found = knee_of(view)
    if found is None:
        return f"{words}. There is no knee: it would be {RULE}."
    return f"{words}. The knee is {named(found)}: {RULE}."


def cost(view: View, theme: Theme) -> Figure:
    """A dot a trial, the Pareto front as a line, the knee ringed."""
    trials = priced(view)
    points = [_point(trial) for trial in trials]
    figure = canvas(PAGE, 3.2, theme)
    axes = figure.subplots()
    tidy_axes(axes, theme)
    ink = colour(COMPLETE, theme)
    axes.plot(*zip(*points, strict=True), "o", ms=4.5, mew=0, alpha=0.75, color=ink, label="trial")
    places = front(points)
    if len(places) > 1:
        line = [points[at] for at in places]
        axes.plot(*zip(*line, strict=True), lw=1.0, color=ink, alpha=0.6, label="Pareto front")
    found = knee_of(view)
    if found is not None:
        ring = {"ms": 11, "mfc": "none", "mew": 1.8, "color": best_colour(theme)}
        axes.plot(*_point(found), "o", **ring, label=f"knee: {named(found)}")
    for at in places if any(WIDTH in trial.params for trial in trials) else ():
        axes.annotate(
            f"{trials[at].params.get(WIDTH, float('nan')):g}",
            points[at],
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            size=SMALL,
            color=theme.ink,
        )
    axes.set_xscale("log")
    few_ticks(axes.xaxis, (min(points)[0], max(points)[0]))
    axes.set_xlabel("seconds per pair", size=TEXT)
    axes.set_ylabel("Dice", size=TEXT)
    axes.margins(0.08, 0.14)
    legend(figure, theme)
    return figure


def priced(view: View) -> list[FrozenTrial]:
    """The feasible trials that recorded both Dice and seconds per pair."""
    wanted = (schema.DICE, schema.SECONDS_PER_PAIR)
    return [
        trial
        for trial in view.feasible
        if all(isinstance(trial.user_attrs.get(key), float | int) for key in wanted)
        and trial.user_attrs[schema.SECONDS_PER_PAIR] > 0
    ]


def knee_of(view: View) -> FrozenTrial | None:
    """The trial at the knee; None where there is none."""
    trials = priced(view)
    at = knee([_point(trial) for trial in trials])
    return None if at is None else trials[at]


def named(trial: FrozenTrial) -> str:
    """A trial by its channel multiplication and run."""
    width = trial.params.get(WIDTH)
    return label(trial) if width is None else f"{WIDTH}={width:g} ({label(trial)})"


def _point(trial: FrozenTrial) -> tuple[float, float]:
    attributes = trial.user_attrs
    return float(attributes[schema.SECONDS_PER_PAIR]), float(attributes[schema.DICE])
