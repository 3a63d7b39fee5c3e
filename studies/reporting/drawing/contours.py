"""Pairs of parameters: where in their plane the objective is good."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from pages.look import PAGE, SMALL, TEXT, Theme, canvas, tidy_axes
from studies.reporting.drawing.marks import Scale, best_colour, shades
from studies.reporting.importance import by_importance
from studies.reporting.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PARAMETERS = 4
_COLUMNS = 3
_FEWEST = 4
_LEVELS = 12


def missing(view: View) -> str | None:
    """Why there are no contours; None where there are."""
    if len(_shown(view)) < 2:
        found = len(_shown(view))
        return f"contours need two parameters, and the complete trials have {found or 'none'}"
    if not _pairs(view):
        return f"no two parameters have {_FEWEST} complete trials in common"
    return None


def caption(view: View) -> str:
    """What the figure shows."""
    words = (
        f"{view.objectives[0]} over pairs of the {len(_shown(view))} most important parameters, "
        "linear between the trials (dots) and blank where there are none; the best is ringed"
    )
    if any(Scale(view, name).choices is not None for name in _shown(view)):
        words += ". Where one is a word there are the trials alone"
    return words + "."


def contours(view: View, theme: Theme) -> Figure:
    """One panel a pair of parameters."""
    pairs = _pairs(view)
    rows, columns = -(-len(pairs) // _COLUMNS), min(_COLUMNS, len(pairs))
    figure = canvas(PAGE if columns > 1 else PAGE / 1.6, 0.2 + 2.2 * rows, theme)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(pairs) :]:
        axes.set_visible(False)
    values = [trial.values[0] for trial in view.complete]
    low, high = min(values), max(values)
    limits = (low, high if low < high else low + 1)
    drawn = None
    for axes, (first, second) in zip(grid.flat, pairs, strict=False):
        drawn = _panel(axes, view, first, second, limits, theme)
    bar = figure.colorbar(drawn, ax=grid.ravel().tolist(), shrink=0.8, aspect=40, pad=0.01)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, labelcolor=theme.ink, size=2, width=0.5)
    bar.set_label(view.objectives[0], size=TEXT, color=theme.ink)
    return figure


def _shown(view: View) -> list[str]:
    return [name for name in by_importance(view) if view.having(name)][:_PARAMETERS]


def _pairs(view: View) -> list[tuple[str, str]]:
    found = combinations(_shown(view), 2)
    return [pair for pair in found if len(view.having(*pair)) >= _FEWEST]


def _panel(
    axes: Axes, view: View, first: str, second: str, limits: tuple[float, float], theme: Theme
) -> Any:
    tidy_axes(axes, theme, grid="none")
    trials = view.having(first, second)
    scales = Scale(view, first), Scale(view, second)
    x, y = (scale.values(trials) for scale in scales)
    values = np.array([trial.values[0] for trial in trials])
    cmap = shades(theme, reverse=view.ways[0] < 0)
    words = any(scale.choices is not None for scale in scales)
    # Between two words there is nothing that values could be drawn for.
    triangles = None if words else _triangles(scales[0].even(x), scales[1].even(y))
    if triangles is not None:
        levels = np.linspace(*limits, _LEVELS)
        from matplotlib.tri import Triangulation

        plane = Triangulation(x, y, triangles)
        axes.tricontourf(plane, values, levels=levels, cmap=cmap, alpha=0.9, extend="both")
    points = axes.scatter(
        x,
        y,
        c=values,
        cmap=cmap,
        vmin=limits[0],
        vmax=limits[1],
        s=10,
        linewidths=0.5,
        edgecolors=theme.paper,
        zorder=3,
    )
    for best in view.best:
        if best in trials:
            at = trials.index(best)
            ring = {"ms": 8, "mfc": "none", "mew": 1.5, "zorder": 4, "clip_on": False}
            axes.plot(x[at], y[at], "o", color=best_colour(theme), **ring)
    axes.use_sticky_edges = False
    axes.margins(0.06)
    scales[0].set(axes, "x")
    scales[1].set(axes, "y")
    return points


def _triangles(x: Any, y: Any) -> Any:
    """(triangles, 3) of the Delaunay triangulation in the unit square; None for points in line."""
    from scipy.spatial import Delaunay, QhullError

    points = np.stack([x, y], axis=1)
    reach = np.ptp(points, axis=0)
    if (reach == 0).any():
        return None
    try:
        found = Delaunay((points - points.min(axis=0)) / reach).simplices
    except QhullError:
        return None
    return found if len(found) else None
