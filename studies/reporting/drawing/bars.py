"""How much each parameter matters, as bars with what the trials leave uncertain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.look import COLUMN, SMALL, TEXT, Theme, canvas, tidy_axes
from studies.reporting.importance import RESAMPLES, importances
from studies.reporting.view import View

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 20
_WIDE = 1.3


def missing(view: View) -> str | None:
    """Why nothing can be said of importance; None where something can."""
    try:
        importances(view)
    except ValueError as error:
        return str(error)
    return None


def caption(view: View) -> str:
    """What the figure shows."""
    of = "reaching the best tenth of the trials" if len(view.ways) == 1 else "the Pareto front"
    return (
        f"Share of each parameter in what decides about {of} (PED-ANOVA over "
        f"{len(view.complete)} complete trials). Whiskers span 5 to 95 % over {RESAMPLES} "
        "bootstrap resamples of the trials: parameters whose whiskers overlap are not told apart."
    )


def bars(view: View, theme: Theme) -> Figure:
    """A bar a parameter, the most important on top."""
    found = importances(view)[:_MOST][::-1]
    figure = canvas(_WIDE * COLUMN, 0.7 + 0.3 * len(found), theme)
    axes = figure.subplots()
    tidy_axes(axes, theme, grid="x")
    places = range(len(found))
    axes.barh(places, [one.share for one in found], height=0.55, color=theme.methods[0], alpha=0.8)
    for place, one in zip(places, found, strict=True):
        axes.plot([one.low, one.high], [place, place], color=theme.ink, lw=1.1)
        for end in (one.low, one.high):
            axes.plot([end, end], [place - 0.12, place + 0.12], color=theme.ink, lw=1.1)
        axes.annotate(
            f"{100 * one.share:.0f} %",
            (max(one.high, one.share), place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            size=SMALL,
            color=theme.ink,
        )
    axes.set_yticks(places, [one.parameter for one in found], size=TEXT, color=theme.ink)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 1.12 * max(one.high for one in found))
    axes.set_xlabel("importance", size=TEXT)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return figure
