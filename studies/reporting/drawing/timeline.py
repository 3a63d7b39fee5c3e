"""When each trial ran, and on which worker."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial

from pages.look import PAGE, SMALL, TEXT, Theme, canvas, tidy_axes
from studies import schema
from studies.reporting.drawing.marks import colour, legend
from studies.reporting.view import KINDS, View, kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_UNITS = ((2 * 86400.0, 86400.0, "days"), (2 * 3600.0, 3600.0, "hours"), (120.0, 60.0, "minutes"))
_NARROW = 0.016
"""Share of the width below which a bar has no room for its number."""


def missing(view: View) -> str | None:
    """Why there is no timeline; None where there is one."""
    return None if any(trial.datetime_start for trial in view.trials) else "no trial has begun"


def caption(view: View) -> str:
    """What the figure shows."""
    words = "Each trial from its start to its end, by its number, on the worker that trained it"
    if not any(_process(trial) for trial in view.trials):
        words += " (no trial says which; trials that ran side by side have lanes of their own)"
    return words + "."


def timeline(view: View, theme: Theme) -> Figure:
    """A lane a worker, a bar a trial."""
    begun = [trial for trial in view.trials if trial.datetime_start]
    starts = [trial.datetime_start for trial in begun if trial.datetime_start]
    ends = [trial.datetime_complete for trial in begun if trial.datetime_complete]
    origin, last = min(starts), max([*starts, *ends])
    whole = max((last - origin).total_seconds(), 1.0)
    unit, word = next(((size, word) for least, size, word in _UNITS if whole > least), (1.0, "s"))
    lanes = _lanes(begun, last)
    names = list(dict.fromkeys(lanes.values()))
    figure = canvas(PAGE, 0.85 + 0.3 * len(names), theme)
    axes = figure.subplots()
    tidy_axes(axes, theme, grid="x")
    for trial in begun:
        start = ((trial.datetime_start or origin) - origin).total_seconds() / unit
        end = ((trial.datetime_complete or last) - origin).total_seconds() / unit
        lane = len(names) - 1 - names.index(lanes[trial.number])
        _bar(axes, trial, (start, max(end - start, 0.002 * whole / unit)), lane, theme)
        if (end - start) * unit > _NARROW * whole * len(str(trial.number)):
            axes.text(
                (start + end) / 2,
                lane,
                str(trial.number),
                ha="center",
                va="center",
                size=SMALL,
                color=theme.paper,
                clip_on=True,
            )
    axes.set_yticks(range(len(names)), names[::-1], size=SMALL, color=theme.ink)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.5, len(names) - 0.5)
    axes.set_xlim(0, 1.005 * whole / unit)
    axes.set_xlabel(f"{word} since the first trial began", size=TEXT)
    for what in KINDS:
        if any(kind(trial) == what for trial in begun):
            axes.barh(0, 0, color=colour(what, theme), hatch=_hatch(what), label=what)
    legend(figure, theme, columns=7)
    return figure


def _bar(
    axes: Axes, trial: FrozenTrial, span: tuple[float, float], lane: int, theme: Theme
) -> None:
    axes.broken_barh(
        [span],
        (lane - 0.36, 0.72),
        facecolor=colour(kind(trial), theme),
        edgecolor=theme.paper,
        linewidth=0.5,
        hatch=_hatch(kind(trial)),
    )


def _hatch(what: str) -> str | None:
    # Both are grey; what was broken off is hatched.
    return "////" if what == "broken off" else None


def _process(trial: FrozenTrial) -> Mapping[str, Any]:
    found = trial.user_attrs.get(schema.PROCESS)
    return found if isinstance(found, dict) else {}


def _lanes(trials: list[FrozenTrial], last: datetime) -> dict[int, str]:
    """The lane of each trial: its worker's, else the first that is free."""
    if any(_process(trial) for trial in trials):
        several = len({_process(trial).get("host") for trial in trials}) > 1
        workers = dict.fromkeys(_key(trial) for trial in trials)
        places = {key: place for place, key in enumerate(workers, start=1)}
        return {
            trial.number: f"worker {places[_key(trial)]}"
            + (f", {_key(trial)[0]}" if several else "")
            for trial in trials
        }
    free: list[datetime] = []
    found: dict[int, str] = {}
    for trial in sorted(trials, key=lambda trial: (trial.datetime_start or last, trial.number)):
        start, end = trial.datetime_start or last, trial.datetime_complete or last
        at = next((i for i, until in enumerate(free) if until <= start), len(free))
        free[at : at + 1] = [end]
        found[trial.number] = f"lane {at + 1}"
    return found


def _key(trial: FrozenTrial) -> tuple[str, str]:
    process = _process(trial)
    who = f"{process.get('pid', '?')} {process.get('started', '')}"
    return str(process.get("host", "unknown")), who
