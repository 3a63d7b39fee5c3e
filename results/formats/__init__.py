"""The formats that comparisons are written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from results.comparison import Comparison
from results.formats.data import csv_text, json_text
from results.formats.grids import provenance
from results.formats.html import html
from results.formats.latex import latex
from results.formats.text import markdown, terminal

FORMATS: Mapping[str, Callable[[Sequence[Comparison], Sequence[str]], str]] = {
    "md": markdown,
    "tex": latex,
    "csv": csv_text,
    "json": json_text,
    "html": html,
}
"""Each turns comparisons and the lines of :func:`provenance` into a file of its suffix."""

__all__ = ["FORMATS", "provenance", "terminal"]
