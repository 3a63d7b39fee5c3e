"""Tables and lines of text: with rich in a terminal, as aligned plain text everywhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_GAP = "  "
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title and how it is set; ``wraps`` where long text may take several lines."""

    title: str = ""
    right: bool = False
    style: str = ""
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's text and style in a terminal, and its text elsewhere where that differs."""

    text: str
    style: str = ""
    plain: str | None = None


Row = Sequence[Cell | str]


@dataclass(slots=True)
class Table:
    """Columns, and rows of equal length.

    Attributes:
        title: shown above it; its rows are then set in by two spaces.
        headed: whether the titles of its columns are shown.
    """

    columns: Sequence[Column]
    rows: list[Row] = field(default_factory=list)
    title: str = ""
    headed: bool = True


@dataclass(frozen=True, slots=True)
class Lines:
    """Text as it is, under a title."""

    text: str
    title: str = ""
    style: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """Two columns where the terminal is wide enough, else one after the other."""

    left: Sequence[Table | Lines]
    right: Sequence[Table | Lines]


Item = Table | Lines | Beside


def in_terminal(stream: TextIO | None = None) -> bool:
    """Whether ``stream`` (standard output) is a terminal that can show more than plain text."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"


def columns_of_terminal() -> int:
    """Width of the terminal behind standard output."""
    return _console().width


def write(items: Sequence[Item]) -> None:
    """Show ``items`` one below the other on standard output."""
    if in_terminal():
        console = _console()
        for item in items:
            for part in _placed(item, console.width):
                console.print(part)
        return
    sys.stdout.writelines(f"{line}\n" for line in plain_lines(items))


def write_json(value: Any) -> None:
    """Show ``value``, in which no number is NaN or infinite, as indented JSON."""
    import orjson

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def plain_lines(items: Sequence[Item]) -> Iterator[str]:
    """``items`` as aligned plain text: nothing cut, no colour, no frame."""
    for i, item in enumerate(_one_by_one(items)):
        if i:
            yield ""
        if item.title:
            yield item.title
        body = _plain_rows(item) if isinstance(item, Table) else item.text.splitlines()
        for line in body:
            yield (_INDENT + line if item.title else line).rstrip()


def printable(text: str) -> str:
    """``text`` without what could move the cursor, change colours or end the line."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else " " if character.isspace() else "?"
        for character in text
    )


def widths(table: Table) -> list[int]:
    """Characters that each column takes as it is shown in a terminal."""
    from rich.cells import cell_len

    texts = [[_shown(cell) for cell in row] for row in table.rows]
    if table.headed:
        texts.append([column.title for column in table.columns])
    return [max((cell_len(row[i]) for row in texts), default=0) for i in range(len(table.columns))]


def row_width(table: Table) -> int:
    """Characters that a row takes in a terminal."""
    return sum(widths(table)) + len(_GAP) * (len(table.columns) - 1)


def _one_by_one(items: Sequence[Item]) -> Iterator[Table | Lines]:
    for item in items:
        if isinstance(item, Beside):
            yield from (*item.left, *item.right)
        else:
            yield item


def _placed(item: Item, room: int) -> Iterator[RenderableType]:
    if isinstance(item, Beside):
        from rich.console import Group
        from rich.table import Table as RichTable

        sides = [max(map(_width, side), default=0) for side in (item.left, item.right)]
        if all(sides) and sum(sides) + 2 * len(_GAP) <= room:
            grid = RichTable.grid(padding=(0, 2, 0, 0), expand=True)
            grid.add_column(width=sides[0] + len(_GAP))
            grid.add_column(ratio=1)
            grid.add_row(*(Group(*map(_rendered, side)) for side in (item.left, item.right)))
            yield grid
            return
    yield from map(_rendered, _one_by_one([item]))


def _width(item: Table | Lines) -> int:
    """Characters that an item takes with its indent and title."""
    if isinstance(item, Lines):
        inner = max(map(len, item.text.splitlines()), default=0)
    else:
        inner = row_width(item)
    return max(inner + len(_INDENT), len(item.title) + len(_GAP))


def _plain_rows(table: Table) -> Iterator[str]:
    from rich.cells import cell_len

    texts = [[_plain(cell) for cell in row] for row in table.rows]
    if table.headed:
        texts.insert(0, [column.title for column in table.columns])
    sizes = [
        max((cell_len(row[i]) for row in texts), default=0) for i in range(len(table.columns))
    ]
    for row in texts:
        cells = []
        for text, size, column in zip(row, sizes, table.columns, strict=True):
            blank = " " * (size - cell_len(text))
            cells.append(blank + text if column.right else text + blank)
        yield _GAP.join(cells)


def _plain(cell: Cell | str) -> str:
    if isinstance(cell, Cell) and cell.plain is not None:
        return printable(cell.plain)
    return _shown(cell)


def _shown(cell: Cell | str) -> str:
    return printable(cell if isinstance(cell, str) else cell.text)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def _rendered(item: Table | Lines) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    if isinstance(item, Lines):
        text = "\n".join(printable(line) for line in item.text.splitlines())
        body: RenderableType = Text(text, style=item.style)
    else:
        body = _rich_table(item)
    if not item.title:
        return body
    return Group(_heading(item.title), Padding(body, (0, 0, 1, 2)))


def _heading(title: str) -> Any:
    from rich.cells import cell_len
    from rich.rule import Rule
    from rich.text import Text

    text = Text(title, style="bold")
    if cell_len(title) + len(_GAP) > columns_of_terminal():
        return text  # a rule would cut it
    return Rule(text, align="left", style="bright_black")


def _rich_table(table: Table) -> RenderableType:
    from rich import box
    from rich.table import Table as RichTable

    shown = RichTable(
        box=box.SIMPLE_HEAD if table.headed else None,
        show_header=table.headed,
        header_style="bold",
        border_style="bright_black",
        padding=(0, 1, 0, 0) if table.headed else (0, 2, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for column in table.columns:
        shown.add_column(
            column.title,
            justify="right" if column.right else "left",
            style=column.style,
            overflow="fold",
            no_wrap=not column.wraps,
        )
    for row in table.rows:
        shown.add_row(*(_rich_cell(cell) for cell in row))
    return shown


def _rich_cell(cell: Cell | str) -> Text:
    from rich.text import Text

    return Text(_shown(cell), style="" if isinstance(cell, str) else cell.style)
