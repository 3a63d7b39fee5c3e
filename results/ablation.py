"""Ablation tables with statistics from recorded runs, written as Markdown, LaTeX, CSV, JSON, HTML.

Without arguments: the comparison with the published figures, and every other finished run.

``--rows NAME ...`` or ``--rows "TITLE: key=value key>=value" ...`` or ``--by KEY`` make any other
ablation; ``--explain ROW COLUMN`` lists the runs and pairs behind a number.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, the folder of this file is on the path, and the root should be.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.run_folder import write_text
from results import formats
from results.comparison import Comparison
from results.explain import explain
from results.measurements import Evaluated, tidy, write_tidy
from results.request import command, make, request_parser, source

PROGRAM = "python results/ablation.py"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the tables.

    Args:
        arguments: the command line without the program; None for the process's own.

    Returns:
        The exit status: 1 where no table can be made, else 0.
    """
    parser = request_parser(PROGRAM, __doc__)
    add = parser.add_argument
    add("--explain", nargs=2, metavar=("ROW", "COLUMN"), help="what is behind a number")
    add("--tidy", type=Path, metavar="FILE", help="also write all measurements as one CSV table")
    add("--format", choices=formats.FORMATS, nargs="+", default=list(formats.FORMATS))
    options = parser.parse_args(arguments)
    try:
        tables, left_out, found = make(options)
        if tables and options.explain:
            return _explain(tables, *options.explain)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not tables:
        print(f"No finished run with metrics of the split {options.split!r} in {source(options)}.")
        print("Make one: python experiments/train.py with quick")
        _print_left_out(left_out)
        return 1
    print(formats.terminal(tables, colour=sys.stdout.isatty()))
    if len(tables) > 1:
        print("Runs on other data or other pairs are not mixed: they stand in tables apart.\n")
    _print_left_out(left_out)
    _write(tables, found, options)
    return 0


def _explain(tables: Sequence[Comparison], row: str, column: str) -> int:
    """Explain the first table's number, or that of the first table that has the row."""
    fitting = [t for t in tables if row.casefold() in {r.name.casefold() for r in t.rows}]
    print(explain((fitting or tables)[0], row, column), end="")
    return 0


def _write(
    tables: Sequence[Comparison], found: Sequence[Evaluated], options: argparse.Namespace
) -> None:
    head = formats.provenance(tables, command(options, PROGRAM))
    options.out.mkdir(parents=True, exist_ok=True)
    stem = "ablation" if options.split == "val" else f"ablation_{options.split}"
    for suffix in options.format:
        path = options.out / f"{stem}.{suffix}"
        write_text(path, formats.FORMATS[suffix](tables, head))
        print(f"Wrote {path}")
    if options.tidy:
        options.tidy.parent.mkdir(parents=True, exist_ok=True)
        with options.tidy.open("w", newline="", encoding="utf-8") as file:
            write_tidy(file, tidy(found, options.split))
        print(f"Wrote {options.tidy}")


def _print_left_out(left_out: Sequence[str]) -> None:
    if left_out:
        print("Left out:", *left_out, sep="\n  run ", end="\n\n")


if __name__ == "__main__":
    sys.exit(main())
