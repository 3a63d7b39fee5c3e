"""Comparisons as Markdown, CSV and LaTeX, each naming what it was made from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from math import isnan

from results.comparison import Comparison, Row

_OURS = {
    "dice": "Dice",
    "dice30": "Dice30",
    "hd95": "HD95",
    "sdlogj": "Jacobian",
    "sdlogj_2020": "Jacobian (2020)",
}
_PUBLISHED = {"dice": "Dice", "dice30": "Dice30", "hd95": "HD95", "jacobian": "Jacobian"}
_DIGITS = {"hd95": 2}

LEGEND = (
    "Dice and HD95 (voxels): mean over pairs of the mean over labels; Dice30: 0.3 quantile over "
    "pairs. Jacobian: SDlogJ with the shift 3 of today's Learn2Reg evaluator; Jacobian (2020): "
    "with the shift 15 of the 2020 script. Published figures: arXiv:2010.10897."
)

_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
)


def provenance(comparisons: Iterable[Comparison], command: str) -> list[str]:
    """The lines at the head of every table file: command, data, runs and code versions."""
    lines = [f"Made by: {command}"]
    for table in comparisons:
        runs = sorted({run for row in table.rows for run in row.runs})
        lines += [
            f"Data: {_title(table)}; fingerprint {table.fingerprint}",
            f"Runs: {', '.join(map(str, runs))}",
            f"Code (+ is uncommitted changes): {'; '.join(table.codes)}",
        ]
    return lines


def markdown(comparisons: Sequence[Comparison], head: Iterable[str]) -> str:
    """All comparisons as Markdown, aligned so that it reads well in a terminal too.

    Args:
        comparisons: the tables.
        head: lines of :func:`provenance`, put into a comment.
    """
    blocks = ["\n".join(["<!--", *head, "-->"])]
    blocks += [markdown_table(table) for table in comparisons]
    return "\n\n".join([*blocks, LEGEND]) + "\n"


def markdown_table(table: Comparison) -> str:
    """One comparison: its title, its table and its notes."""
    names = ["Method", *_OURS.values(), "Runs"]
    published = any(row.published for row in table.rows)
    if published:
        names += [f"{name} (paper)" for name in _PUBLISHED.values()]
    cells = [names]
    for row in table.rows:
        runs = ", ".join(map(str, row.runs)) or "-"
        line = [row.method, *_values(row.ours, _OURS), runs]
        cells.append(line + (_values(row.published, _PUBLISHED) if published else []))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(_padded(line, widths)) + " |" for line in cells]
    rule = [
        f"{'-' * (width - 1)}{'-' if column == 0 else ':'}" for column, width in enumerate(widths)
    ]
    lines.insert(1, "| " + " | ".join(rule) + " |")
    notes = [f"- {note}" for note in table.notes]
    return "\n\n".join(filter(None, [f"**{_title(table)}**", "\n".join(lines), "\n".join(notes)]))


def csv_text(comparisons: Iterable[Comparison], head: Iterable[str]) -> str:
    """All rows of all comparisons in full precision, under "#" lines of provenance."""
    file = io.StringIO()
    file.writelines(f"# {line}\n" for line in head)
    writer = csv.writer(file, lineterminator="\n")
    keys = [*_OURS, *(f"published_{key}" for key in _PUBLISHED)]
    writer.writerow(["dataset", "split", "pairs", "name", "method", "runs", *keys])
    for table in comparisons:
        for row in table.rows:
            values = [row.ours.get(key) for key in _OURS]
            values += [_known(row.published.get(key)) for key in _PUBLISHED]
            runs = " ".join(map(str, row.runs))
            subject = [table.dataset, table.split, table.pairs]
            writer.writerow([*subject, row.name, row.method, runs, *values])
    return file.getvalue()


def latex(comparisons: Sequence[Comparison], head: Iterable[str]) -> str:
    """All comparisons as tabulars for the booktabs package, one after the other."""
    blocks = ["\n".join(f"% {line}" for line in [*head, r"Needs \usepackage{booktabs}."])]
    blocks += [_latex_table(table) for table in comparisons]
    return "\n\n".join(blocks) + "\n"


def _latex_table(table: Comparison) -> str:
    ours, published = len(_OURS), len(_PUBLISHED)
    lines = [
        f"% {_title(table)}",
        rf"\begin{{tabular}}{{l{'r' * ours}{'r' * published}}}",
        r"\toprule",
        rf" & \multicolumn{{{ours}}}{{c}}{{Ours}}"
        rf" & \multicolumn{{{published}}}{{c}}{{Published}} \\",
        rf"\cmidrule(lr){{2-{1 + ours}}}\cmidrule(lr){{{2 + ours}-{1 + ours + published}}}",
        " & ".join(["Method", *_OURS.values(), *_PUBLISHED.values()]) + r" \\",
        r"\midrule",
    ]
    lines += [_latex_row(row) for row in table.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _latex_row(row: Row) -> str:
    cells = [*_values(row.ours, _OURS), *_values(row.published, _PUBLISHED)]
    math = ["--" if cell == "-" else r"$\infty$" if cell == "inf" else cell for cell in cells]
    return " & ".join([row.method.translate(_LATEX), *math]) + r" \\"


def _title(table: Comparison) -> str:
    return f"{table.dataset}, {table.split}, {table.pairs} pairs"


def _values(figures: Mapping[str, float], keys: Iterable[str]) -> list[str]:
    return [_cell(figures.get(key), _DIGITS.get(key, 3)) for key in keys]


def _cell(value: float | None, digits: int) -> str:
    return "-" if _known(value) is None else f"{value:.{digits}f}"


def _known(value: float | None) -> float | None:
    return None if value is None or isnan(value) else value


def _padded(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *others = zip(line, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
