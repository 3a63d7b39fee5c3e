"""All figures of a table, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from results.comparison import Comparison
from results.drawing import curves, differences, front, wins
from results.drawing.look import Theme
from results.measurements import UNREGISTERED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Draw(Protocol):
    """Draws one figure in a theme's colours; None where there is nothing to draw."""

    def __call__(self, theme: Theme) -> Figure | None: ...


@dataclass(frozen=True)
class Picture:
    """One figure.

    Attributes:
        name: of its files.
        caption: what it shows.
        draw: makes it.
    """

    name: str
    caption: str
    draw: Draw


def gallery(table: Comparison) -> Iterator[Picture]:
    """The figures that the table's runs allow."""
    if table.reference is not None:
        for metric in table.metrics:
            if metric.reduce == "mean" and metric.label is None:
                about = differences.caption(table, metric)
                draw = partial(differences.differences, table, metric)
                yield Picture(f"differences_{metric.key}", about, draw)
        for metric in table.metrics:
            if metric.reduce == "mean" and metric.label is None and metric.per_label:
                about = wins.caption(table, metric)
                yield Picture(f"wins_{metric.key}", about, partial(wins.wins, table, metric))
    if any(row.tables and row.name != UNREGISTERED for row in table.rows):
        yield Picture("pareto", front.caption(table), partial(front.front, table))
        yield Picture("curves", curves.caption(table), partial(curves.curves, table))
