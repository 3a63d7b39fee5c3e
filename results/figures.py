"""Figures of recorded runs, as PDF and PNG.

They show the rows of ``results/ablation.py`` with the same arguments. ``--panels`` also registers
the worst, median and best pair of each run whose weights and data are here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, the folder of this file is on the path, and the root should be.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from hipreg.evaluation.figures.canvas import save_figure
from pages.look import LIGHT
from pages.picture import Picture
from results.comparison import Comparison
from results.drawing.gallery import gallery
from results.formats import provenance
from results.peers import beside
from results.request import command, make, request_parser, source
from results.rows import Row
from results.smoothness import Curve, curve_beside

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = ("pdf", "png")


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw and write all figures; returns the exit status, 1 where there is nothing to draw."""
    parser = request_parser("python results/figures.py", __doc__)
    parser.set_defaults(out=ROOT / "results" / "tables" / "figures")
    parser.add_argument("--panels", action="store_true", help="also pairs of each run")
    parser.add_argument(
        "--peers", type=Path, help="other programs' records, for the Pareto figure"
    )
    parser.add_argument(
        "--smoothness", type=Path, help="one model at several smoothness weights, for it too"
    )
    options = parser.parse_args(arguments)
    try:
        tables, _, _ = make(options, curves=True)
        if not tables:
            print(
                f"No finished run with metrics of the split {options.split!r} in "
                f"{source(options)}."
            )
            return 1
        write(tables, options)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def write(tables: Sequence[Comparison], options: argparse.Namespace) -> None:
    """Write the figures of all tables, those after the first with the data's name in theirs."""
    options.out.mkdir(parents=True, exist_ok=True)
    told = command(options, "python results/figures.py")
    for place, table in enumerate(tables):
        prefix = f"{table.subject.dataset}_{table.subject.digest}_" if place else ""
        # What is known of the first table's pairs says nothing about those of the others.
        peers = beside(table, options.peers) if options.peers and not place else ()
        shown = options.smoothness if not place else None
        curve = curve_beside(table, shown) if shown else None
        for picture in pictures(table, options.panels, peers, curve):
            more = curve.provenance if curve and picture.name == "pareto" else []
            about = "\n".join([*provenance([table], told), *more])
            figure = picture.draw(LIGHT)
            if figure is None:
                continue
            for suffix in SUFFIXES:
                path = options.out / f"{prefix}{picture.name}.{suffix}"
                save_figure(figure, path, about)
                print(f"Wrote {path}")


def pictures(
    table: Comparison, panels: bool, peers: Sequence[Row] = (), curve: Curve | None = None
) -> list[Picture]:
    """The figures of a table, with its pairs where they are asked for and can be had."""
    found = list(gallery(table, peers, curve))
    if panels:
        # Registering needs PyTorch, which takes seconds to load.
        from results.drawing.pairs import pair_pictures

        found += pair_pictures(table)
    return found


if __name__ == "__main__":
    sys.exit(main())
