"""Tables of other registration programs beside ours, from what ``experiments.peers`` recorded.

    python results/peers.py results/peers --reference sym-pretrain

Figures of every method, costs, and each method against the reference, pair by pair. They are
printed, and written as ``peers.md`` beside the records.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

if __name__ == "__main__":
    # Run as a file, the folder of this file is on the path, and the root should be.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.errors import PlainError
from experiments.labels import WORDS
from experiments.peers.record import read_record
from experiments.run_folder import write_text
from pages.grid import Cell, Grid, number
from results.comparison import Comparison
from results.formats.grids import differences, figures, legend
from results.formats.text import aligned, markdown_grid, wrapped
from results.measurements import UNREGISTERED, PairTable, Subject
from results.metrics import DEFAULT, find_metrics
from results.rows import Row
from results.samples import sample
from results.statistics import against, figure, holm

METRICS = find_metrics((*DEFAULT, "folding"))
PROGRAM = "python results/peers.py"
RECORDER = "python -m experiments.peers"
_ORDER = ("identity", "demons", "elastix", "convexadam", "ants")


@dataclass(frozen=True)
class PeerResult:
    """What one method did.

    Attributes:
        about: Its record: settings, versions, data, threads, cpu and more.
        table: Its metrics.
        seconds: The median over pairs, wall clock.
        cpu_seconds: The same of processor time.
    """

    about: Mapping[str, Any]
    table: PairTable
    seconds: float
    cpu_seconds: float

    @property
    def name(self) -> str:
        """Of the row; that of no registration is the usual one."""
        return UNREGISTERED if self.about["method"] == "identity" else str(self.about["method"])

    @property
    def subject(self) -> Subject:
        """What it was measured on."""
        data = self.about["data"]
        return Subject(
            str(data["dataset"]),
            str(data["fingerprint"]),
            str(self.about["metric_definitions"]),
            self.table.pairs,
            self.table.labels,
        )


def load_peers(folder: Path, recorder: str = RECORDER) -> list[PeerResult]:
    """All methods of a folder that have done a pair, in the tables' order.

    Args:
        folder: Of the records.
        recorder: The command that leaves such, for messages.

    Raises:
        ValueError: There is none, or one is damaged, or they were measured on different data.
    """
    try:
        records = [read_record(path) for path in sorted(folder.glob("*.json"))]
    except PlainError as error:
        raise ValueError(str(error)) from error
    found = [
        PeerResult(
            record.about,
            PairTable.of(record.rows, str(record.table)),
            *map(float, np.median(list(record.seconds.values()), axis=0)),
        )
        for record in records
        if record.rows
    ]
    if not found:
        raise ValueError(f"{folder}: no records of {recorder}")
    for other in found[1:]:
        same = replace(other.subject, pairs=found[0].subject.pairs)
        split, theirs = (each.about["data"]["split"] for each in (found[0], other))
        difference = found[0].subject.difference(same)
        if split != theirs:
            difference = f"split {split} against {theirs}"
        if difference:
            raise ValueError(f"{folder}: {found[0].name} and {other.name} differ: {difference}")
    return sorted(found, key=_place)


def _place(found: PeerResult) -> tuple[int, str]:
    name = str(found.about["method"])
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def compared(found: Sequence[PeerResult], reference: str | None) -> Comparison:
    """Every method's figures on its own pairs, and its differences on those of both.

    Raises:
        ValueError: The reference is none of the methods.
    """
    rows = [peer_row(one) for one in found]
    pairs = sorted({pair for one in found for pair in one.table.pairs})
    table = Comparison(
        subject=replace(found[0].subject, pairs=tuple(pairs)),
        split=str(found[0].about["data"]["split"]),
        metrics=METRICS,
        rows=tuple(rows),
        reference=None,
        ranks=(),
        ranked=(),
        notes=(),
    )
    if reference is None:
        return table
    return replace(table, reference=reference, rows=_against(rows, table.row(reference)))


def peer_row(found: PeerResult) -> Row:
    """A method as a row of a table."""
    tables = (found.table,)
    values = {m.key: figure(sample(tables, m, None), m) for m in METRICS}
    return Row(found.name, str(found.about["title"]), tables=tables, figures=values)


def _against(rows: Sequence[Row], reference: Row) -> tuple[Row, ...]:
    tests = {}
    for row in rows:
        if row is reference:
            continue
        common = set(row.tables[0].pairs) & set(reference.tables[0].pairs)
        ours, theirs = (restricted(each.tables[0], common) for each in (row, reference))
        for metric in METRICS if common else ():
            samples = (sample((table,), metric, None) for table in (ours, theirs))
            tests[row.name, metric.key] = against(*samples, metric)
    corrected = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    return tuple(
        replace(
            row,
            against={
                key: replace(test, p_holm=corrected[name, key])
                for (name, key), test in tests.items()
                if name == row.name
            },
        )
        for row in rows
    )


def restricted(table: PairTable, pairs: Iterable[tuple[int, int]]) -> PairTable:
    """The same metrics of some of the pairs."""
    wanted = set(pairs)
    at = [i for i, pair in enumerate(table.pairs) if pair in wanted]
    values = {name: column[at] for name, column in table.values.items()}
    return PairTable(tuple(table.pairs[i] for i in at), table.labels, values)


def all_grids(found: Sequence[PeerResult], reference: str | None) -> list[Grid]:
    """The tables: all methods, those pairs that all have where they differ, and differences."""
    table = compared(found, reference)
    first = _with_costs(figures(table), found)
    common = set.intersection(*(set(one.table.pairs) for one in found))
    if len(common) == len(table.subject.pairs):
        return [first, *_some(differences(table))]
    # Of other pairs nothing is better or worse.
    plain = tuple(tuple(replace(cell, mark="") for cell in row) for row in first.rows)
    grids = [replace(first, title=f"{first.title}, each on its own", rows=plain)]
    if common:
        same = [replace(one, table=restricted(one.table, common)) for one in found]
        grid = _with_costs(figures(compared(same, None)), same)
        grids.append(replace(grid, title=f"The {len(common)} pairs that all have registered"))
    return [*grids, *_some(differences(table))]


def _some(grid: Grid) -> list[Grid]:
    return [grid] if grid.rows else []


def _with_costs(grid: Grid, found: Sequence[PeerResult]) -> Grid:
    """The figures with what is particular to peers, in place of the numbers of runs."""
    heads = (*grid.heads[:-1], "Labels", "Pairs", "s/pair", "CPU s")
    rows = [
        (
            *cells[:-1],
            Cell(WORDS.get(str(one.about["labels"]), "?")),
            Cell(str(len(one.table.pairs))),
            Cell(number(one.seconds, 2)),
            Cell(number(one.cpu_seconds, 2)),
        )
        for cells, one in zip(grid.rows, found, strict=True)
    ]
    return Grid(grid.title, heads, tuple(rows))


def notes(found: Sequence[PeerResult]) -> list[str]:
    """How each was run, and how to read costs and labels."""
    lines = []
    for one in found:
        words = ", ".join(f"{key} {value}" for key, value in one.about["settings"].items())
        size = " x ".join(map(str, one.about["size"]))
        versions = ", ".join(f"{k} {v}" for k, v in one.about["versions"].items())
        if one.name != UNREGISTERED:
            lines.append(f"{one.about['title']} ({versions}; images {size}): {words}.")
    where = sorted({(int(one.about["threads"]), str(one.about["cpu"])) for one in found})
    machines = "; ".join(f"{n} thread{'s' * (n > 1)} of {cpu}" for n, cpu in where)
    lines.append(
        f"s/pair: wall clock, CPU s: processor time, medians over pairs, {machines}; loading "
        "of programs, images and the measuring left out. Labels: what a method has learnt from; "
        "none sees those of the pair."
    )
    return lines


def beside(table: Comparison, folder: Path) -> list[Row]:
    """The other programs of a folder as further rows of a table of ours.

    Raises:
        ValueError: As :func:`load_peers`, or they were measured on other data than the table.
    """
    rows = []
    for one in load_peers(folder):
        if one.about["kind"] != "peer" or one.name == UNREGISTERED:
            continue
        refuse_other(table, one, folder)
        row = peer_row(one)
        rows.append(replace(row, method=row.method + few(table, len(one.table.pairs))))
    return rows


def refuse_other(table: Comparison, one: PeerResult, folder: Path) -> None:
    """Refuse what was measured on other data than a table of ours.

    Raises:
        ValueError: It was; names the difference.
    """
    extra = set(one.table.pairs) - set(table.subject.pairs)
    difference = table.subject.difference(replace(one.subject, pairs=table.subject.pairs))
    if difference or extra:
        raise ValueError(
            f"{folder}: {one.name} was measured on other data than the runs: "
            f"{difference or f'{len(extra)} pairs that they lack'}"
        )


def few(table: Comparison, pairs: int) -> str:
    """How many pairs it is of, to follow a name; empty where it is of all of the table's."""
    return f" ({pairs} pairs)" if pairs < len(table.subject.pairs) else ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the tables; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of the records")
    parser.add_argument("--reference", metavar="NAME", help="that the others are compared with")
    options = parser.parse_args(arguments)
    try:
        found = load_peers(options.folder)
        grids = all_grids(found, options.reference)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    said = [*notes(found), *legend([compared(found, options.reference)])]
    colour = sys.stdout.isatty()
    print("\n\n".join(aligned(grid, colour) for grid in grids), end="\n\n")
    print("\n".join(map(wrapped, said)))
    commands = list(dict.fromkeys(c for one in found for c in one.about["commands"]))
    head = ["<!--", *(f"Recorded by: {command}" for command in commands), "-->"]
    blocks = ["\n".join(head), *(f"**{g.title}**\n\n{markdown_grid(g)}" for g in grids)]
    write_text(options.folder / "peers.md", "\n\n".join([*blocks, *said]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
