"""What a command line asks for: the same options for tables, figures and the report."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from experiments.run_folder import run_ids, runs_root
from results.comparison import Comparison, build, comparisons
from results.measurements import Evaluated
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
RECORDS = ROOT / "results" / "records"
"""The committed records, from which the comparison can be made anywhere."""

# Where records are and where files go differs between machines; what is made is the same.
UNTOLD = ("runs", "out", "explain", "tidy", "mongo_url", "format")


def make(
    options: argparse.Namespace, *, curves: bool = False
) -> tuple[list[Comparison], list[str], list[Evaluated]]:
    """The tables that a command line asks for, notes on runs left out, and the runs in it.

    Args:
        options: of :func:`request_parser`.
        curves: whether the metrics of every epoch will be drawn.

    Raises:
        ValueError: the rows cannot be had, or their runs must not be mixed; says why.
    """
    if not options.mongo_url and options.runs.exists() and not options.runs.is_dir():
        raise ValueError(f"--runs needs a folder, got {options.runs}")
    if not options.mongo_url and options.runs == RECORDS == usual_runs():
        print(f"No runs of your own yet: these are the committed ones, {RECORDS}", file=sys.stderr)
    records = load(options.runs, options.mongo_url, curves=curves)
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


def usual_runs() -> Path:
    """The folder of all runs; before the first of them, and unless told where, the records."""
    root = runs_root()
    return root if run_ids(root) or os.environ.get("HIPREG_RUNS") else RECORDS


def request_parser(program: str, description: str | None) -> argparse.ArgumentParser:
    """The options that say which runs make which rows and columns.

    Args:
        program: how it is called.
        description: what it does.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--runs", type=Path, default=usual_runs(), help="folder of the recorded runs")
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


def command(options: argparse.Namespace, program: str) -> str:
    """The command line that makes the same from the same records anywhere."""
    usual = vars(request_parser(program, None).parse_args([]))
    words = [program]
    for name, value in sorted(vars(options).items()):
        if name in UNTOLD or value is None or value == usual.get(name, False):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words += [shlex.quote(str(v)) for v in (value if isinstance(value, list) else [value])]
    return " ".join(words)


def source(options: argparse.Namespace) -> str:
    """Where the runs are looked for, in words."""
    return "the database" if options.mongo_url else str(options.runs)
