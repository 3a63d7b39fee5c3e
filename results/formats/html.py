"""Comparisons as HTML: tables for the report, and a page of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from results.comparison import Comparison
from results.formats.grids import Cell, Grid, grids, legend, title
from results.formats.style import page


def html(tables: Sequence[Comparison], head: Iterable[str]) -> str:
    """One page with all tables and their provenance; it loads nothing."""
    body = [f"<h1>{escape(', '.join(title(table) for table in tables))}</h1>"]
    for table in tables:
        body += sections(table)
    body.append(f"<h2>How to read the tables</h2>{paragraphs(legend(tables))}")
    body.append(f"<h2>Made from</h2>{listing(head)}")
    return page("Ablation", "\n".join(body))


def sections(table: Comparison) -> list[str]:
    """Each grid of a comparison under its heading, and its notes."""
    parts = [f"<h2>{escape(grid.title)}</h2>{html_grid(grid)}" for grid in grids(table)]
    if table.notes:
        items = "".join(f"<li>{escape(note)}</li>" for note in table.notes)
        parts.append(f"<ul>{items}</ul>")
    return parts


def html_grid(grid: Grid) -> str:
    """One grid; wider than the screen it scrolls by itself."""
    heads = "".join(f'<th scope="col">{escape(head)}</th>' for head in grid.heads)
    rows = "".join(f"<tr>{_cells(row)}</tr>" for row in grid.rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(grid.title)}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
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
