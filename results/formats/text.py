"""Comparisons as plain text, for a terminal, and as Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from pages.grid import Cell, Grid
from results.comparison import Comparison
from results.formats.grids import grids, legend

_BOLD, _UNDERLINED, _DIM, _PLAIN = "\x1b[1m", "\x1b[4m", "\x1b[2m", "\x1b[0m"
_WIDTH = 99


def terminal(tables: Sequence[Comparison], *, colour: bool = False) -> str:
    """Aligned text; without colour the best has a "*" and the second a "'" behind it."""
    blocks = []
    for table in tables:
        blocks += [aligned(grid, colour) for grid in grids(table)]
        blocks.append("\n".join(wrapped(note, "- ") for note in table.notes))
    blocks.append("\n".join(wrapped(line) for line in legend(tables)))
    if not colour:
        blocks[-1] = blocks[-1].replace("Best bold, second underlined", "Best *, second '")
    return "\n\n".join(filter(None, blocks)) + "\n"


def markdown(tables: Sequence[Comparison], head: Iterable[str]) -> str:
    """Markdown with the provenance in a comment."""
    blocks = ["\n".join(["<!--", *head, "-->"])]
    for table in tables:
        blocks += [f"**{grid.title}**\n\n{markdown_grid(grid)}" for grid in grids(table)]
        blocks.append("\n".join(f"- {note}" for note in table.notes))
    blocks += legend(tables)
    return "\n\n".join(filter(None, blocks)) + "\n"


def markdown_grid(grid: Grid) -> str:
    """One grid as a Markdown table, aligned so that it reads well as it is too."""
    lines = [[head.replace("|", r"\|") for head in grid.heads]]
    lines += [[_markdown_cell(cell) for cell in row] for row in grid.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["| " + " | ".join(_padded(line, widths)) + " |" for line in lines]
    rule = [
        "-" * (width - 1) + ("-" if column == 0 else ":") for column, width in enumerate(widths)
    ]
    text.insert(1, "| " + " | ".join(rule) + " |")
    return "\n".join(text)


def _markdown_cell(cell: Cell) -> str:
    text = cell.text.replace("|", r"\|")
    if cell.mark == "best":
        text = f"**{text}**"
    elif cell.mark == "second":
        text = f"<ins>{text}</ins>"
    return f"{text}<br>{cell.under}" if cell.under else text


def aligned(grid: Grid, colour: bool) -> str:
    """One grid for a terminal, its title above it; marks as in :func:`terminal`."""
    widths = [len(head) for head in grid.heads]
    for row in grid.rows:
        for i, cell in enumerate(row):
            widths[i] = max(widths[i], len(cell.text) + 1, len(cell.under) + 1)
    widths[0] = max(widths[0] - 1, 0)
    rule = "\u2500" * (sum(widths) + 2 * len(widths) - 2)
    lines = [grid.title, rule, "  ".join(_padded(grid.heads, widths)).rstrip(), rule]
    for row in grid.rows:
        lines.append("  ".join(_set(cell, i, widths[i], colour) for i, cell in enumerate(row)))
        if any(cell.under for cell in row):
            under = "  ".join(_padded([cell.under + " " for cell in row], widths)).rstrip()
            lines.append(f"{_DIM}{under}{_PLAIN}" if colour else under)
    return "\n".join(line.rstrip() for line in [*lines, rule])


def _set(cell: Cell, column: int, width: int, colour: bool) -> str:
    if not column:
        return cell.text.ljust(width)
    tail = {"best": "*", "second": "'"}.get(cell.mark, " ") if not colour else " "
    text = (cell.text + tail).rjust(width)
    style = {"best": _BOLD, "second": _UNDERLINED}.get(cell.mark, "") if colour else ""
    return text.replace(cell.text, f"{style}{cell.text}{_PLAIN}") if style else text


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(line, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]


def wrapped(text: str, bullet: str = "") -> str:
    """Text in lines that a terminal shows whole."""
    return textwrap.fill(text, _WIDTH, initial_indent=bullet, subsequent_indent=" " * len(bullet))
