"""Each parameter's values against the objective, all other parameters being what they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pages.look import PAGE, SMALL, TEXT, Theme, canvas, tidy_axes
from studies.reporting.drawing.marks import MANY, Scale, best_colour, shades
from studies.reporting.importance import by_importance
from studies.reporting.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

_COLUMNS = 3
_MOST = 12


def missing(view: View) -> str | None:
    """Why there are no slices; None where there are."""
    if not view.complete:
        return "no trial has come to its end with a value"
    return None if _shown(view) else "the complete trials have no parameters"


def caption(view: View) -> str:
    """What the figure shows."""
    words = "Value against each parameter, the most important first; later trials are yellower"
    words += ", the best is ringed"
    partial = [name for name in _shown(view) if len(view.having(name)) < len(view.complete)]
    if partial:
        words += f"; only some trials have {', '.join(partial)}, and only those are drawn"
    left = len(view.parameters) - len(_shown(view))
    return words + (f"; {left} parameters are left out." if left else ".")


def slices(view: View, theme: Theme) -> Figure:
    """One panel a parameter and objective."""
    names = _shown(view)
    panels = [(place, name) for place in range(len(view.ways)) for name in names]
    rows = -(-len(panels) // _COLUMNS)
    columns = min(_COLUMNS, len(panels))
    figure = canvas(PAGE, 0.35 + 1.85 * rows, theme)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (place, name) in zip(grid.flat, panels, strict=False):
        points = _panel(axes, view, place, name, theme)
    _numbers(figure, points, grid, theme)
    return figure


def _shown(view: View) -> list[str]:
    most = max(1, _MOST // len(view.ways))
    return [name for name in by_importance(view) if view.having(name)][:most]


def _panel(axes: Axes, view: View, place: int, name: str, theme: Theme) -> PathCollection:
    tidy_axes(axes, theme)
    scale, trials = Scale(view, name), view.having(name)
    across = scale.values(trials)
    if scale.choices is not None:
        across = across + np.random.default_rng(0).uniform(-0.15, 0.15, len(across))
    points = axes.scatter(
        across,
        [trial.values[place] for trial in trials],
        c=[trial.number for trial in trials],
        cmap=shades(theme),
        vmin=0,
        vmax=max(1, view.trials[-1].number),
        s=13,
        linewidths=0.3,
        edgecolors=theme.paper,
        rasterized=len(trials) > MANY,
    )
    for best in view.best:
        if best in trials:
            at = trials.index(best)
            axes.plot(
                across[at],
                best.values[place],
                "o",
                ms=7,
                mfc="none",
                mew=1.3,
                color=best_colour(theme),
            )
    scale.set(axes, "x")
    axes.set_ylabel(view.objectives[place], size=TEXT)
    axes.margins(x=0.06 if scale.choices is None else 0, y=0.08)
    return points


def _numbers(figure: Figure, points: PathCollection, grid: np.ndarray, theme: Theme) -> None:  # type: ignore[type-arg]
    bar = figure.colorbar(points, ax=grid.ravel().tolist(), shrink=0.8, aspect=40, pad=0.01)
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.ax.tick_params(labelsize=SMALL, labelcolor=theme.ink, size=2, width=0.5)
    bar.set_label("trial", size=TEXT, color=theme.ink)
