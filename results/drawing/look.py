"""How the methods of a table look: the same in all of its figures."""

from __future__ import annotations

from pages.look import MARKERS, Theme
from results.comparison import Comparison
from results.measurements import UNREGISTERED
from results.rows import Row


def shown_rows(table: Comparison) -> list[Row]:
    """The methods with figures; no registration only where hardly anything else is there."""
    rows = [row for row in table.rows if row.tables]
    ours = [row for row in rows if row.name != UNREGISTERED]
    return ours if len(ours) > 1 else rows


def style_of(table: Comparison, row: Row, theme: Theme) -> tuple[str, str]:
    """Colour and marker of a method, the same in all figures of a table."""
    names = [each.name for each in table.rows if each.tables and each.name != UNREGISTERED]
    if row.name not in names:
        return theme.methods[-1], "x"
    at = names.index(row.name) % (len(theme.methods) - 1)
    return theme.methods[at], MARKERS[at]
