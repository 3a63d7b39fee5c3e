"""What each trial reported while it trained, and where the pruned ones ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pages.look import PAGE, TEXT, Theme, canvas, tidy_axes
from studies.reporting.drawing.marks import best_colour, colour, legend, marker
from studies.reporting.view import COMPLETE, FAILED, OVER, PRUNED, RUNNING, View, kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS = (PRUNED, FAILED, RUNNING, OVER, COMPLETE)


def missing(view: View) -> str | None:
    """Why there are no intermediate values; None where there are."""
    if len(view.ways) > 1:
        return (
            "Optuna takes no intermediate values of a trial with several objectives; the curves "
            "are in the records of the runs (python -m experiments.runs show RUN)"
        )
    reported = any(trial.intermediate_values for trial in view.trials)
    return None if reported else "no trial reported a value before its end"


def caption(view: View) -> str:
    """What the figure shows."""
    words = f"{view.objectives[0]} on the selection pairs by epoch, a line a trial"
    pruned = view.count(PRUNED)
    if pruned:
        words += f"; the {pruned} grey lines that end in a cross were pruned there"
    return words + "."


def learning(view: View, theme: Theme) -> Figure:
    """A line a trial, the best in front."""
    figure = canvas(PAGE, 2.9, theme)
    axes = figure.subplots()
    tidy_axes(axes, theme)
    best = {trial.number for trial in view.best}
    told: set[str] = set()
    for layer, what in enumerate(_KINDS):
        for trial in view.trials:
            if kind(trial) != what or not trial.intermediate_values:
                continue
            steps, values = zip(*sorted(trial.intermediate_values.items()), strict=True)
            first = trial.number in best
            name = "best" if first else what
            axes.plot(
                steps,
                values,
                color=best_colour(theme) if first else colour(what, theme),
                lw=2.0 if first else 0.9,
                alpha=1.0 if first else 0.6,
                zorder=3 + layer + 5 * first,
                label=None if name in told else name,
                marker=marker(PRUNED) if what == PRUNED else "o" if len(steps) == 1 else None,
                markevery=[-1],
                ms=4,
            )
            told.add(name)
    axes.set_xlabel("epoch", size=TEXT)
    axes.set_ylabel(view.objectives[0], size=TEXT)
    axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
    axes.margins(x=0.02, y=0.05)
    legend(figure, theme, columns=6)
    return figure
