"""The rows of a table: those that were published, those that are asked for, one a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from experiments.labels import WORDS, label_use
from results.measurements import UNREGISTERED, Evaluated, PairTable
from results.metrics import Metric
from results.published import Published, read_published
from results.runs import Run
from results.selection import Choice, RowQuery, choose
from results.statistics import Against, Figure


@dataclass(frozen=True)
class Row:
    """One method in a table.

    Attributes:
        name: the configuration's name or query; "unregistered" for no registration at all.
        method: its words in the table.
        runs: behind its figures; one a seed.
        tables: what they measured; for "unregistered" the metrics before registration.
        figures: by key of the metric; empty where no run stands for the row.
        against: the reference, by key of the metric; empty for the reference itself.
        published: dice, dice30, hd95, jacobian; empty where none were.
    """

    name: str
    method: str
    runs: tuple[Evaluated, ...] = ()
    tables: tuple[PairTable, ...] = ()
    figures: Mapping[str, Figure] = field(default_factory=dict)
    against: Mapping[str, Against] = field(default_factory=dict)
    published: Mapping[str, float] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[int, ...]:
        """Numbers of the runs."""
        return tuple(item.run.id for item in self.runs)


@dataclass(frozen=True, slots=True)
class Design:
    """What a table should look like.

    Attributes:
        metrics: the columns.
        queries: its rows; none for the comparison with the published rows, and all others.
        reference: name or title of the row to compare with; None for the first that has figures
            besides "unregistered".
        per_seed: whether each seed gets a row of its own.
        merged: runs trained for the test set, which have no figures.
    """

    metrics: tuple[Metric, ...]
    queries: tuple[RowQuery, ...] = ()
    reference: str | None = None
    per_seed: bool = False
    merged: tuple[Run, ...] = ()


def make_rows(
    group: Sequence[Evaluated], split: str, design: Design
) -> tuple[list[Row], list[str]]:
    """The rows of a table, without figures yet, and notes on them.

    Raises:
        ValueError: nothing fits a row that was asked for, or different configurations do.
    """
    notes: list[str] = []
    rows: list[Row] = []

    def add(name: str, method: str, choice: Choice, published: Mapping[str, float]) -> None:
        notes.extend(choice.notes)
        row = Row(name, method, choice.runs, tuple(item.table for item in choice.runs))
        rows.append(replace(row, published=published))

    if design.queries:
        _add_queries(group, design, add)
    else:
        _add_published(group, split, design.merged, notes, add)
    notes.extend(_label_uses(rows))
    return (_split_by_seed(rows) if design.per_seed else rows), notes


def _add_queries(group: Sequence[Evaluated], design: Design, add: Any) -> None:
    dataset = group[0].run.dataset
    published = {row.name: row for row in read_published() if row.dataset == dataset}
    for query in design.queries:
        known = published.get(query.name or "")
        choice = Choice((), ()) if query.name == UNREGISTERED else choose(group, query)
        if query.name != UNREGISTERED and not choice.runs:
            names = ", ".join(sorted({item.run.name for item in group}))
            raise ValueError(
                f"no finished run fits the row {query.title or query.name!r}; there are runs of "
                f"{names}"
            )
        name = query.title or query.name or ""
        method = query.title or (known.method if known else _capital(name))
        add(name, method, choice, known.figures if known else {})


def _add_published(
    group: Sequence[Evaluated], split: str, merged: Sequence[Run], notes: list[str], add: Any
) -> None:
    dataset = group[0].run.dataset
    named = {item.run.name: RowQuery("", item.run.name) for item in group}
    published = [row for row in read_published() if row.dataset == dataset]
    for row in published or [Published(UNREGISTERED, "Unregistered", split, dataset, {})]:
        here = row.split == split and row.name in named
        choice = choose(group, named.pop(row.name)) if here else Choice((), ())
        add(row.name, row.method, choice, row.figures)
        if row.split == "test":
            own = [run for run in merged if run.dataset == dataset]
            notes.append(f"{row.method}: {_test_set(own)}")
    for name, query in named.items():
        add(name, _capital(name), choose(group, query), {})


def _label_uses(rows: Sequence[Row]) -> Iterator[str]:
    """Which labels the rows' runs learnt from, in a note."""
    uses: dict[str, list[str]] = {use: [] for use in WORDS}
    for row in rows:
        if row.name == UNREGISTERED:
            continue
        for use in {label_use(item.run.config) for item in row.runs} & uses.keys():
            uses[use].append(row.method)
    said = [f"{WORDS[use]}: {', '.join(methods)}" for use, methods in uses.items() if methods]
    if said:
        yield f"Labels, never those of the pair itself: {'; '.join(said)}."


def _test_set(merged: Sequence[Run]) -> str:
    """What can be said of a test set without labels: never a number of ours."""
    words = "its labels were never published, so only the challenge's server can give figures."
    for run in merged:
        archives = sorted(path.name for path in (run.folder / "artifacts").glob("*.zip"))
        made = (
            f"{', '.join(archives)} is ready for it" if archives else "its fields are to be made"
        )
        words += f" Run {run.id} ({run.name}, seed {run.config.get('seed')}): {made}."
    return words


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _split_by_seed(rows: Sequence[Row]) -> list[Row]:
    split: list[Row] = []
    for row in rows:
        if len(row.runs) < 2:
            split.append(row)
            continue
        for item in row.runs:
            words = f", seed {item.seed}"
            one = replace(row, runs=(item,), tables=(item.table,))
            split.append(replace(one, name=row.name + words, method=row.method + words))
    return split
