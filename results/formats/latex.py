"""Comparisons as LaTeX tables that need nothing but booktabs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pages.grid import Cell, Grid
from results.comparison import Comparison
from results.formats.grids import grids, legend

_ESCAPES = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"$<$",
        ">": r"$>$",
        "|": r"$|$",
        "\u00b1": r"$\pm$",
        "\u2212": r"$-$",
        "\u2191": r"$\uparrow$",
        "\u2193": r"$\downarrow$",
    }
)
_WORDS = {"-": "--", "inf": r"$\infty$", "\u2212inf": r"$-\infty$"}


def latex(tables: Sequence[Comparison], head: Iterable[str]) -> str:
    r"""All grids as tabulars, one after the other, to be ``\input`` into a document."""
    blocks = ["\n".join(f"% {line}" for line in [*head, r"Needs \usepackage{booktabs}."])]
    for table in tables:
        blocks += [_tabular(grid) for grid in grids(table)]
        blocks += [f"% {note}" for note in table.notes]
    blocks.append("\n".join(f"% {line}" for line in legend(tables)))
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """Text as LaTeX sets it; whatever plain LaTeX has no letter for is a question mark."""
    if text in _WORDS:
        return _WORDS[text]
    known = "".join(c if c.isascii() or ord(c) in _ESCAPES else "?" for c in text)
    return known.translate(_ESCAPES)


def _tabular(grid: Grid) -> str:
    lines = [
        f"% {grid.title}",
        rf"\begin{{tabular}}{{l{'r' * (len(grid.heads) - 1)}}}",
        r"\toprule",
        " & ".join(map(escaped, grid.heads)) + r" \\",
        r"\midrule",
    ]
    for row in grid.rows:
        lines.append(" & ".join(map(_cell, row)) + r" \\")
        if any(cell.under for cell in row):
            under = (rf"{{\scriptsize {escaped(c.under)}}}" if c.under else "" for c in row)
            lines.append(" & ".join(under) + r" \\[2pt]")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _cell(cell: Cell) -> str:
    text = escaped(cell.text)
    if cell.mark == "best":
        # Mathematical signs take no bold from the text around them, which does no harm.
        return rf"\textbf{{{text}}}"
    return rf"\underline{{{text}}}" if cell.mark == "second" else text
