"""The report: one HTML file with the comparison, its figures, and how each row came about.

It shows the rows of ``results/ablation.py`` with the same arguments, loads nothing from anywhere,
and reads well on a phone, on a screen, in the dark and on paper.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, the folder of this file is on the path, and the root should be.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.run_folder import write_text
from pages.grid import html_grid, listing, number, paragraphs
from pages.picture import figure_element
from pages.shell import card, cards, navigation, page
from results.comparison import Comparison
from results.figures import pictures
from results.formats import provenance
from results.formats.grids import legend, title
from results.formats.html import sections
from results.measurements import UNREGISTERED
from results.origin import BEFORE, environment, origins
from results.request import command, make, request_parser, source

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = "python results/report.py"
_PLACES = {
    "comparison": "Comparison",
    "figures": "Figures",
    "summaries": "Studies and benchmarks",
    "reproduce": "Reproduce",
    "environment": "Environment",
}
_BUILT_ON = "{0} is the number that the row's {1} gets when it is repeated."
_SUMMARIES = ("benchmark_*/benchmark.txt", "study_*/*.txt")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report; returns the exit status, 1 where there is nothing to report."""
    parser = request_parser(PROGRAM, __doc__)
    parser.set_defaults(out=ROOT / "results" / "tables")
    parser.add_argument("--panels", action="store_true", help="also pairs of each run")
    options = parser.parse_args(arguments)
    try:
        tables, left_out, _ = make(options, curves=True)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not tables:
        print(f"No finished run with metrics of the split {options.split!r} in {source(options)}.")
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "report.html"
    write_text(path, report(tables, left_out, options))
    print(f"Wrote {path}")
    return 0


def report(
    tables: Sequence[Comparison], left_out: Sequence[str], options: argparse.Namespace
) -> str:
    """The whole page.

    Args:
        tables: at least one.
        left_out: notes on runs that stand in none of them.
        options: of the command line.
    """
    parts = ["<header><h1>Registration results</h1>", f'<p class="lead">{_lead(tables)}</p>']
    summaries = "".join(_summaries(options.runs))
    places = {key: title for key, title in _PLACES.items() if key != "summaries" or summaries}
    parts += [_cards(tables[0]), navigation(places), "</header>", "<main>"]
    for place, table in enumerate(tables):
        anchor = ' id="comparison"' if not place else ""
        parts += [f"<section{anchor}>", *sections(table), "</section>"]
    parts.append(
        '<details class="printed"><summary>How to read the tables</summary>'
        f"{paragraphs(legend(tables))}</details>"
    )
    parts.append('<section id="figures"><h2>Figures</h2><div class="gallery">')
    for table in tables:
        parts += [figure_element(picture) for picture in pictures(table, options.panels)]
    parts.append("</div></section>")
    parts.append(summaries)
    parts.append('<section id="reproduce"><h2>How to reproduce each row</h2>')
    again = origins(tables)
    parts += [html_grid(grid) for grid in again]
    words = "".join(row[-1].text for grid in again for row in grid.rows)
    built_on = [kind.kind for kind in BEFORE if f"={kind.kind.upper()}" in words]
    parts.append(paragraphs(_BUILT_ON.format(kind.upper(), kind) for kind in built_on))
    parts.append("</section>")
    parts.append('<section id="environment"><h2>Environment</h2>')
    parts += [html_grid(grid) for grid in environment(tables)]
    told = command(options, PROGRAM)
    parts.append(f"<h2>Made from</h2>{listing(provenance(tables, told))}")
    if left_out:
        parts.append(f"<h3>Runs left out</h3>{listing(left_out)}")
    parts.append("</section></main>")
    return page("Registration results", "\n".join(parts))


def _lead(tables: Sequence[Comparison]) -> str:
    runs = {item.run.id for table in tables for item in table.runs}
    measured = "; ".join(title(table) for table in tables)
    return escape(f"{measured}. {len(runs)} recorded run{'s' if len(runs) > 1 else ''}.")


def _cards(table: Comparison) -> str:
    """The best method's figures at a glance."""
    rows = [row for row in table.rows if row.figures and row.name != UNREGISTERED]
    if not rows or "dice" not in rows[0].figures:
        return ""
    best = max(rows, key=lambda row: row.figures["dice"].value)
    found = [card("Best Dice", best.method, name=True)]
    for metric in table.metrics:
        figure = best.figures[metric.key]
        interval = f"{number(figure.low, metric.digits)} to {number(figure.high, metric.digits)}"
        value = number(figure.value, metric.digits)
        found.append(card(f"{metric.title} {metric.arrow}", value, interval))
    return cards(found)


def _summaries(runs: Path) -> Iterator[str]:
    """What else lies among the records in words: studies and benchmarks."""
    found = [path for pattern in _SUMMARIES for path in sorted(runs.glob(pattern))]
    if found:
        yield '<section id="summaries"><h2>Studies and benchmarks</h2>'
        for path in found:
            name = escape(path.parent.name.replace("_", " "))
            lines = path.read_text(encoding="utf-8").splitlines()
            yield f"<details><summary>{name}</summary>{listing(lines)}</details>"
        yield "</section>"


if __name__ == "__main__":
    sys.exit(main())
