"""How trials look in all figures: what became of them, and scales for their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial

from pages.look import SMALL, TEXT, Theme
from studies.reporting.view import (
    BROKEN,
    COMPLETE,
    FAILED,
    OVER,
    PRUNED,
    QUEUED,
    RUNNING,
    View,
    distribution,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

MANY = 2000
"""Marks from which on a figure holds them as pixels: as shapes they would make the page slow."""
_MARKERS = {COMPLETE: "o", OVER: "^", PRUNED: "x", FAILED: "P", BROKEN: "D", RUNNING: ">"}


def colour(what: str, theme: Theme) -> str:
    """Of trials that came to ``what``, one of ``KINDS``."""
    places = {COMPLETE: 0, OVER: 4, FAILED: 3, RUNNING: 2}
    return theme.methods[places.get(what, -1)]


def best_colour(theme: Theme) -> str:
    """Of the best trials."""
    return theme.methods[1]


def marker(what: str) -> str:
    """A second sign beside the colour."""
    return _MARKERS.get(what, "s" if what == QUEUED else "o")


def shades(theme: Theme, *, reverse: bool = False) -> Colormap:
    """Low to high in colours that all stand out from the theme's paper."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    span = (0.3, 1.0) if theme.name == "dark" else (0.0, 0.93)
    found = ListedColormap(colormaps["viridis"](np.linspace(*span, 256)))
    return found.reversed() if reverse else found


class Scale:
    """Where a parameter's values lie on an axis.

    Attributes:
        name: of the parameter.
        choices: words in their order; None for a number.
        log: whether the number was searched in log scale.
        ends: the smallest and the largest number.
    """

    def __init__(self, view: View, name: str) -> None:
        """Of parameter ``name``, which some complete trial has."""
        found = distribution(view.complete, name)
        self.name = name
        self.log = bool(getattr(found, "log", False))
        self.choices: list[str] | None = None
        self.ends = (1.0, 1.0)
        if isinstance(found, CategoricalDistribution):
            seen = [trial.params[name] for trial in view.having(name)]
            words = dict.fromkeys(str(choice) for choice in [*found.choices, *seen])
            self.choices = list(words)
        else:
            numbers = [float(trial.params[name]) for trial in view.having(name)]
            self.ends = min(numbers), max(numbers)

    def values(self, trials: Sequence[FrozenTrial]) -> Any:
        """(trials,) values, of words their places."""
        raw = [trial.params[self.name] for trial in trials]
        if self.choices is None:
            return np.array(raw, float)
        return np.array([self.choices.index(str(value)) for value in raw], float)

    def even(self, values: Any) -> Any:
        """Values as they were searched: in log scale their logarithms."""
        return np.log10(values) if self.log else values

    def set(self, axes: Axes, side: str) -> None:
        """Give the ``x`` or ``y`` axis this scale and its name."""
        axis = axes.xaxis if side == "x" else axes.yaxis
        if self.choices is not None:
            axis.set_ticks(range(len(self.choices)), [_short(word) for word in self.choices])
            reach = (-0.5, len(self.choices) - 0.5)
            axes.set_xlim(reach) if side == "x" else axes.set_ylim(reach)
        elif self.log:
            axes.set_xscale("log") if side == "x" else axes.set_yscale("log")
            few_ticks(axis, self.ends)
        axis.set_label_text(self.name, size=TEXT)


def legend(figure: Figure, theme: Theme, columns: int = 4) -> None:
    """Name each kind of mark once, above everything."""
    named: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, name in zip(*axes.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    if named:
        figure.legend(
            list(named.values()),
            list(named),
            loc="outside upper left",
            ncols=columns,
            fontsize=SMALL,
            frameon=False,
            labelcolor=theme.ink,
            handlelength=1.2,
        )


def _short(word: str, most: int = 14) -> str:
    return word if len(word) <= most else word[: most - 1] + "\u2026"


def few_ticks(axis: Any, ends: tuple[float, float]) -> None:
    """Few plain numbers on a log axis that spans ``ends``: powers of ten, or 1, 2 and 5 times."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    far = ends[1] >= 30 * ends[0]
    axis.set_major_locator(LogLocator(subs=(1.0,) if far else (1.0, 2.0, 5.0), numticks=5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
