"""Tables as grids of cells, and their HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import isinf, isnan
from typing import Literal

Mark = Literal["", "best", "second"]
NONE = "-"
MINUS = "\u2212"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes:
        text: what it says.
        under: a second, smaller line; empty for none.
        mark: whether it is the best or second of its column.
    """

    text: str
    under: str = ""
    mark: Mark = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """One printed table.

    Attributes:
        title: what it shows.
        heads: of the columns; the first is that of the methods.
        rows: a cell for each head.
        worded: whether the last column holds words, which run from the left and may wrap.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    worded: bool = False


def number(value: float, digits: int) -> str:
    """A number in a table; "-" for nan."""
    if isnan(value):
        return NONE
    if isinf(value):
        return "inf" if value > 0 else f"{MINUS}inf"
    text = f"{abs(value):.{digits}f}"
    return (MINUS if value < 0 and float(text) else "") + text


def html_grid(grid: Grid) -> str:
    """One grid; wider than the screen it scrolls by itself."""
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in grid.heads)
    rows = "".join(f"<tr>{_cells(row)}</tr>" for row in grid.rows)
    name = ' class="worded"' if grid.worded else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(grid.title)}">'
        f"<table{name}><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def paragraphs(lines: Iterable[str]) -> str:
    """Each line as a paragraph."""
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def listing(lines: Iterable[str]) -> str:
    """Lines as they are, in a fixed width."""
    return f'<pre tabindex="0">{escape(chr(10).join(lines))}</pre>'


def _cells(row: Sequence[Cell]) -> str:
    first, *others = row
    cells = [f'<th scope="row">{escape(first.text)}</th>']
    for cell in others:
        text = escape(cell.text)
        if cell.mark:
            name = "strong" if cell.mark == "best" else "u"
            text = f"<{name}>{text}</{name}>"
        under = f"<small>{escape(cell.under)}</small>" if cell.under else ""
        cells.append(f"<td>{text}{under}</td>")
    return "".join(cells)
