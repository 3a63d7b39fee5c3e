"""All figures of a table, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from pages.picture import Picture
from results.comparison import Comparison
from results.drawing import curves, differences, front, wins
from results.measurements import UNREGISTERED
from results.rows import Row
from results.smoothness import Curve


def gallery(
    table: Comparison, peers: Sequence[Row] = (), curve: Curve | None = None
) -> Iterator[Picture]:
    """The figures that the table's runs allow.

    Args:
        table: what they show.
        peers: other programs on the same pairs.
        curve: one of the methods at several weights of its smoothness, on the same pairs.
    """
    means = [m for m in table.metrics if m.reduce == "mean" and m.label is None]
    for metric in means if table.reference is not None else ():
        # How much less smooth than nothing at all a method is, its own figure says.
        if not (table.reference == UNREGISTERED and metric.trivial_unregistered):
            about = differences.caption(table, metric)
            draw = partial(differences.differences, table, metric)
            yield Picture(f"differences_{metric.key}", about, draw)
    for metric in means if table.reference is not None else ():
        if metric.per_label:
            about = wins.caption(table, metric)
            yield Picture(f"wins_{metric.key}", about, partial(wins.wins, table, metric))
    ours = [row for row in table.rows if row.tables and row.name != UNREGISTERED]
    if len(ours) > 1 or (ours and (peers or curve)):
        draw = partial(front.front, table, peers=peers, curve=curve)
        yield Picture("pareto", front.caption(table, peers, curve), draw)
    if ours:
        yield Picture("curves", curves.caption(table), partial(curves.curves, table))
