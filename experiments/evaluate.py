"""Measure displacement fields: ``python experiments/evaluate.py FOLDER-or-zip``.

Any folder or zip of the challenge's fields, in the form of 2020 or today's, ours or others'.
Prints the aggregate table, and writes a CSV with a row for every pair and label.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from tqdm import tqdm

from experiments.errors import PlainError
from experiments.prediction import SPLITS, pairs_of
from experiments.table import metrics_table
from experiments.words import run_command, split_words
from hipreg.data import CasePair, Cohort, load_cohort
from hipreg.evaluation import LabelMetrics, aggregate, evaluate_pairs, write_rows
from hipreg.evaluation.found import field_names, jobs_of
from hipreg.files import replacing


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("fields", type=Path, help="folder or zip of displacement fields")
    made.add_argument("--dataset", default="hippocampus", help="whose labels to measure with")
    made.add_argument("--data-dir", type=Path, help="default: HIPREG_DATA, then data/")
    made.add_argument(
        "--out", type=Path, help="CSV of every pair and label (default: beside the fields)"
    )
    made.add_argument("--overwrite", action="store_true", help="replace an earlier CSV")
    return made


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    options = parser().parse_args(split_words(arguments, ("dataset",)))
    fields: Path = options.fields
    stem = fields.resolve().name.removesuffix(".zip")
    out = options.out or fields.resolve().with_name(f"{stem}_pairs.csv")
    table = out.with_name(f"{out.stem}_aggregate.csv")
    taken = [str(path) for path in (out, table) if path.exists()]
    if taken and not options.overwrite:
        raise PlainError(
            f"{' and '.join(taken)}: there already, nothing was overwritten; choose another "
            "--out, or say --overwrite"
        )
    count = len(field_names(fields))
    cohort = load_cohort(options.dataset, data_dir=options.data_dir)
    bar = tqdm(jobs_of(fields, cohort), total=count, desc="measuring", unit="pair", disable=None)
    rows = evaluate_pairs(bar, sorted(cohort.description.labels))
    out.parent.mkdir(parents=True, exist_ok=True)
    write_rows(out, rows)
    figures = aggregate(rows)
    write_aggregate(table, figures)
    print(metrics_table(figures))
    print(said_of_pairs(rows, cohort))
    print(f"Every pair and label: {out}; these figures: {table}")
    return 0


def write_aggregate(path: Path, figures: Mapping[str, float]) -> None:
    """Write the figures as a CSV of names and values."""
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("figure", "value"))
        writer.writerows(figures.items())


def said_of_pairs(rows: Sequence[LabelMetrics], cohort: Cohort) -> str:
    """Which split's pairs these are, and whether all of them and with labels."""
    measured = {CasePair(row.fixed, row.moving) for row in rows}
    text = f"{len(measured)} pairs"
    for split in SPLITS:
        try:
            pairs = set(pairs_of(cohort, split))
        except ValueError:
            continue
        if measured & pairs:
            text += f", {len(measured & pairs)} of the {len(pairs)} of split {split}"
    unknown = [
        pair
        for pair in measured
        if not all(cohort.labelled[row] for row in cohort.indices([pair.fixed, pair.moving]))
    ]
    if unknown:
        text += (
            f"; the labels of {len(unknown)} are not published, so their Dice and HD95 are only "
            "known to the challenge's server"
        )
    return text


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
