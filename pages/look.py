"""The look that all figures share: sizes for print, colours for every eye."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hipreg.evaluation.figures.canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMN = 3.35
"""Inches; a column of a journal, at which all text is read."""

PAGE = 7.0
"""Inches; the width of both columns."""

TEXT = 7.5
SMALL = 6.5


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a figure; those of the methods are Okabe and Ito's (2008), told apart by all.

    Attributes:
        name: light or dark.
        paper: behind everything.
        ink: text and what stands out.
        faint: lines beside the matter.
        methods: by the order of the rows; the first is the reference's.
        gain: a scale from loss over nothing to gain.
    """

    name: str
    paper: str
    ink: str
    faint: str
    methods: tuple[str, ...]
    gain: tuple[str, str, str]


LIGHT = Theme(
    "light",
    "#FFFFFF",
    "#262626",
    "#C4C4C4",
    ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F"),
    ("#542788", "#F7F7F7", "#B35806"),
)
DARK = Theme(
    "dark",
    "#0F1318",
    "#E6EDF3",
    "#4A535E",
    ("#4AA8E0", "#F07F2E", "#2CC295", "#E39CC5", "#F2B632", "#8FD0F5", "#A6A6A6"),
    ("#B9A7EE", "#1B222B", "#F59F3D"),
)
MARKERS = "osD^vPX"
"""A second sign beside the colour."""


def canvas(width: float, height: float, theme: Theme) -> Figure:
    """An empty figure on the theme's paper."""
    figure = new_figure(width, height)
    figure.set_facecolor(theme.paper)
    return figure


def tidy_axes(axes: Axes, theme: Theme, *, grid: str = "both") -> None:
    """Thin lines, readable text, no box; a grid along ``x``, ``y``, ``both`` or ``none``."""
    axes.set_facecolor(theme.paper)
    axes.tick_params(labelsize=SMALL, width=0.5, length=2, color=theme.faint)
    axes.tick_params(labelcolor=theme.ink)
    for side, spine in axes.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=theme.faint, linewidth=0.5)
    axes.xaxis.label.set(size=TEXT, color=theme.ink)
    axes.yaxis.label.set(size=TEXT, color=theme.ink)
    axes.set_axisbelow(True)
    if grid != "none":
        axes.grid(axis=grid, color=theme.faint, linewidth=0.4, alpha=0.5)  # type: ignore[arg-type]
