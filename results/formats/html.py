"""Comparisons as HTML: tables for the report, and a page of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from pages.grid import html_grid, listing, paragraphs
from pages.shell import page
from results.comparison import Comparison
from results.formats.grids import grids, legend, title


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
