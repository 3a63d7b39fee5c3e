"""Ablation tables with statistics from recorded runs, written as Markdown, LaTeX, CSV, JSON, HTML.

Without arguments: the comparison with the published figures, and every other finished run.

``--rows NAME ...`` or ``--rows "TITLE: key=value key>=value" ...`` or ``--by KEY`` make any other
ablation; ``--explain ROW COLUMN`` lists the runs and pairs behind a number.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, the folder of this file is on the path, and the root should be.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.run_folder import runs_root, write_text
from results import formats
from results.comparison import Comparison, build, comparisons
from results.explain import explain
from results.measurements import Evaluated, tidy, write_tidy
from results.metrics import DEFAULT, METRICS, by_label, find_metrics
from results.rows import Design
from results.selection import (
    Condition,
    Filter,
    RowQuery,
    merged_runs,
    one_subject,
    rows_by,
    usable,
)
from results.sources import load

ROOT = Path(__file__).resolve().parents[1]
# Where records are and where tables go differs between machines; a table is the same from all.
_UNTOLD = ("runs", "out", "explain", "tidy", "mongo_url", "format")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the tables.

    Args:
        arguments: the command line without the program; None for the process's own.

    Returns:
        The exit status: 1 where no table can be made, else 0.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.mongo_url and options.runs.exists() and not options.runs.is_dir():
        parser.error(f"--runs needs a folder, got {options.runs}")
    try:
        tables, left_out, found = make(options)
        if tables and options.explain:
            return _explain(tables, *options.explain)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not tables:
        print(
            f"No finished run with metrics of the split {options.split!r} in {_source(options)}."
        )
        print("Make one: python experiments/train.py with quick")
        _print_left_out(left_out)
        return 1
    print(formats.terminal(tables, colour=sys.stdout.isatty()))
    if len(tables) > 1:
        print("Runs on other data or other pairs are not mixed: they stand in tables apart.\n")
    _print_left_out(left_out)
    _write(tables, found, options)
    return 0


def make(options: argparse.Namespace) -> tuple[list[Comparison], list[str], list[Evaluated]]:
    """The tables that a command line asks for, notes on runs left out, and the runs in it.

    Raises:
        ValueError: the rows cannot be had, or their runs must not be mixed; says why.
    """
    records = load(options.runs, options.mongo_url)
    found, left_out = usable(records, _filter(options))
    if not found:
        return [], left_out, found
    queries = [RowQuery.parse(text) for text in options.rows]
    metrics = find_metrics(options.metrics)
    if options.by:
        queries += rows_by(found, options.by)
    if options.per_label:
        metrics = by_label(
            metrics, sorted({label for item in found for label in item.table.labels})
        )
    merged = merged_runs(records)
    design = Design(metrics, tuple(queries), options.reference, options.per_seed, merged)
    if not queries and not options.reference and not options.per_seed:
        return comparisons(found, options.split, design), left_out, found
    # What no row takes need not be measured on the same.
    some = [item for item in found if not queries or any(q.takes(item.run) for q in queries)]
    return [build(one_subject(some or found), options.split, design)], left_out, some


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python results/ablation.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--runs", type=Path, default=runs_root(), help="folder of the recorded runs")
    add("--mongo-url", help="read the runs from the MongoDB at this URL instead")
    add("--out", type=Path, default=ROOT / "results" / "tables", help="folder for the tables")
    add("--rows", nargs="+", default=[], metavar="ROW", help="names, or TITLE: key=value ...")
    add("--by", nargs="+", default=[], metavar="KEY", help="a row for each value of these entries")
    add("--reference", metavar="ROW", help="row that the others are compared with")
    keys = ", ".join(METRICS)
    add("--metrics", nargs="+", default=list(DEFAULT), metavar="KEY", help=f"columns of: {keys}")
    add("--per-label", action="store_true", help="columns for each label too")
    add("--per-seed", action="store_true", help="a row for each seed")
    add("--split", default="val", help="split that was evaluated")
    add("--seeds", nargs="+", type=int, default=[], help="only runs of these seeds")
    add("--ids", nargs="+", type=int, default=[], help="only these runs")
    add("--where", nargs="+", default=[], metavar="KEY=VALUE", help="only such configurations")
    add("--dataset", help="only runs on this data set")
    add("--fingerprint", help="only runs on the data whose fingerprint begins so")
    add("--explain", nargs=2, metavar=("ROW", "COLUMN"), help="what is behind a number")
    add("--tidy", type=Path, metavar="FILE", help="also write all measurements as one CSV table")
    add("--format", choices=formats.FORMATS, nargs="+", default=list(formats.FORMATS))
    return parser


def _filter(options: argparse.Namespace) -> Filter:
    return Filter(
        split=options.split,
        seeds=tuple(options.seeds),
        ids=tuple(options.ids),
        dataset=options.dataset,
        fingerprint=options.fingerprint,
        conditions=tuple(Condition.parse(text) for text in options.where),
    )


def _explain(tables: Sequence[Comparison], row: str, column: str) -> int:
    """Explain the first table's number, or that of the first table that has the row."""
    fitting = [t for t in tables if row.casefold() in {r.name.casefold() for r in t.rows}]
    print(explain((fitting or tables)[0], row, column), end="")
    return 0


def _write(
    tables: Sequence[Comparison], found: Sequence[Evaluated], options: argparse.Namespace
) -> None:
    head = formats.provenance(tables, command(options))
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


def command(options: argparse.Namespace) -> str:
    """The command line that makes the same table from the same records anywhere."""
    usual = _parser().parse_args([])
    words = ["python results/ablation.py"]
    for name, value in sorted(vars(options).items()):
        if name in _UNTOLD or value == getattr(usual, name):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words += [shlex.quote(str(v)) for v in (value if isinstance(value, list) else [value])]
    return " ".join(words)


def _source(options: argparse.Namespace) -> str:
    return "the database" if options.mongo_url else str(options.runs)


def _print_left_out(left_out: Sequence[str]) -> None:
    if left_out:
        print("Left out:", *left_out, sep="\n  run ", end="\n\n")


if __name__ == "__main__":
    sys.exit(main())
