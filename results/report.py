"""The report: one HTML file with the comparison, its figures, and how each row came about.

It shows the rows of ``results/ablation.py`` with the same arguments, loads nothing from anywhere,
and reads well on a phone, on a screen, in the dark and on paper.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, the folder of this file is on the path, and the root should be.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.run_folder import write_text
from hipreg.evaluation.figures.canvas import save_figure
from results.comparison import Comparison
from results.drawing.gallery import Picture
from results.drawing.look import COLUMN, DARK, LIGHT
from results.figures import pictures
from results.formats import provenance
from results.formats.grids import legend, number, title
from results.formats.html import html_grid, listing, paragraphs, sections
from results.formats.style import page
from results.measurements import UNREGISTERED
from results.origin import environment, origins
from results.request import command, make, request_parser, source

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = "python results/report.py"
_PIXELS_AN_INCH = 125
_SUMMARIES = ("benchmark_*/benchmark.txt", "study_*/*.txt", "study_*/*.md")


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
    parts += [_cards(tables[0]), _navigation(), "</header>", "<main>"]
    for place, table in enumerate(tables):
        anchor = ' id="comparison"' if not place else ""
        parts += [f"<section{anchor}>", *sections(table), "</section>"]
    parts.append(
        f"<details><summary>How to read the tables</summary>{paragraphs(legend(tables))}</details>"
    )
    parts.append('<section id="figures"><h2>Figures</h2><div class="gallery">')
    for table in tables:
        parts += [_figure(picture) for picture in pictures(table, options.panels)]
    parts.append("</div></section>")
    parts += _summaries(options.runs)
    parts.append('<section id="reproduce"><h2>How to reproduce each row</h2>')
    parts += [html_grid(grid) for grid in origins(tables)]
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
    cards = [f'<div class="card name"><span>Best Dice</span><b>{escape(best.method)}</b></div>']
    for metric in table.metrics:
        figure = best.figures[metric.key]
        interval = f"{number(figure.low, metric.digits)} to {number(figure.high, metric.digits)}"
        cards.append(
            f'<div class="card"><span>{escape(metric.title)} {metric.arrow}</span>'
            f"<b>{number(figure.value, metric.digits)}</b><span>{interval}</span></div>"
        )
    return f'<div class="cards">{"".join(cards)}</div>'


def _navigation() -> str:
    names = {
        "comparison": "Comparison",
        "figures": "Figures",
        "reproduce": "Reproduce",
        "environment": "Environment",
    }
    links = "".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in names.items())
    return f"<nav>{links}</nav>"


def _figure(picture: Picture) -> str:
    """A figure in the colours of either theme, which the reader's browser chooses from."""
    sources = []
    with tempfile.TemporaryDirectory() as scratch:
        for theme in (LIGHT, DARK):
            drawn = picture.draw(theme)
            if drawn is None:
                return ""
            # Scans are pictures of many pixels, which a vector file only makes larger.
            kind = "png" if picture.name.startswith("pairs_") else "svg"
            path = Path(scratch) / f"{theme.name}.{kind}"
            save_figure(drawn, path)
            mime = "image/svg+xml" if kind == "svg" else "image/png"
            data = base64.b64encode(path.read_bytes()).decode()
            sources.append(f"data:{mime};base64,{data}")
            if kind == "png":
                break
    inches = drawn.get_figwidth()
    width = round(inches * _PIXELS_AN_INCH)
    image = f'<img src="{sources[0]}" alt="{escape(picture.caption)}" width="{width}">'
    dark = (
        f'<source srcset="{sources[1]}" media="(prefers-color-scheme: dark)">'
        if len(sources) > 1
        else ""
    )
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>"
    name = ' class="wide"' if inches > COLUMN else ""
    pan = f'<div class="pan" tabindex="0"><picture>{dark}{image}</picture></div>'
    return f"<figure{name}>{pan}{caption}</figure>"


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
