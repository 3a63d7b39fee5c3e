"""A study's outcome in lines of plain text, for a terminal and for records."""

from __future__ import annotations

from collections.abc import Iterator

from studies.reporting.drawing import cost
from studies.reporting.importance import importances
from studies.reporting.tables import commands, summary, value
from studies.reporting.view import View, label


def outcome(view: View) -> Iterator[str]:
    """How many trials came to what, the best of them and how to repeat it, and what mattered."""
    yield f"Study {view.name}. {summary(view)}"
    if len(view.ways) == 1:
        yield from _best(view)
    elif view.best:
        yield from _front(view)
    knee = cost.knee_of(view)
    if knee is not None and cost.WIDTH in knee.params:
        width = knee.params[cost.WIDTH]
        yield f"Knee of Dice against cost: {label(knee)}, {cost.WIDTH.replace('_', ' ')} {width:g}"
    try:
        found = importances(view)
    except ValueError as error:
        yield f"Importance: not said, {error}"
        return
    yield "Importance, with the 5 and 95 % quantiles over resamples of the trials:"
    for one in found:
        shares = (f"{100 * share:.0f} %" for share in (one.share, one.low, one.high))
        yield "  {}: {} ({} to {})".format(one.parameter, *shares)


def _best(view: View) -> Iterator[str]:
    for trial in view.best[:1]:
        yield f"Best: {label(trial)} with {view.objectives[0]} {trial.values[0]:.4f}; again with"
        yield from (f"  {line}" for line in commands(view, trial))


def _front(view: View) -> Iterator[str]:
    yield f"Pareto front ({', '.join(view.objectives)}):"
    for trial in view.best:
        values = ", ".join(map(value, trial.values))
        chosen = ", ".join(f"{name} {value(at)}" for name, at in sorted(trial.params.items()))
        yield f"  {label(trial)}: {values} with {chosen}"
