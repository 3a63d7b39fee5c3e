"""Builds ablation tables: every row's figures, and what they are against the reference row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import nan
from typing import Any

import numpy as np

from results.measurements import UNREGISTERED, Evaluated, PairTable, Subject
from results.metrics import HARD_SHARE, Metric
from results.published import Published, read_published
from results.ranking import TESTS, RankScores, rank_scores
from results.selection import Choice, RowQuery, by_subject, choose
from results.statistics import Against, Figure, Sample, Values, against, figure, holm


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


@dataclass(frozen=True)
class Comparison:
    """One table: rows that were all evaluated on the same pairs of the same data.

    Attributes:
        subject: what was measured.
        split: whose pairs they are.
        metrics: the columns.
        rows: the methods.
        reference: name of the row that the others are compared with; None without one.
        ranks: the challenge's rank scores, by either test; empty where they cannot be had.
        ranked: names of the rows that they are of.
        notes: what a reader must know to read the rows rightly.
    """

    subject: Subject
    split: str
    metrics: tuple[Metric, ...]
    rows: tuple[Row, ...]
    reference: str | None
    ranks: tuple[RankScores, ...]
    ranked: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def runs(self) -> tuple[Evaluated, ...]:
        """All runs behind the rows, by their ids, each once."""
        found = {item.run.id: item for row in self.rows for item in row.runs}
        return tuple(found[key] for key in sorted(found))

    def row(self, name: str) -> Row:
        """The row of a name or of words in the table, in any case.

        Raises:
            ValueError: there is none.
        """
        for row in self.rows:
            if name.casefold() in (row.name.casefold(), row.method.casefold()):
                return row
        names = ", ".join(repr(row.name) for row in self.rows)
        raise ValueError(f"there is no row {name!r}; the rows are {names}")

    def metric(self, name: str) -> Metric:
        """The column of a key or title, in any case.

        Raises:
            ValueError: there is none.
        """
        for metric in self.metrics:
            if name.casefold() in (metric.key.casefold(), metric.title.casefold()):
                return metric
        names = ", ".join(metric.key for metric in self.metrics)
        raise ValueError(f"there is no column {name!r}; the columns are {names}")


@dataclass(frozen=True, slots=True)
class Design:
    """What a table should look like.

    Attributes:
        metrics: the columns.
        queries: its rows; none for the comparison with the published rows, and all others.
        reference: name or title of the row to compare with; None for the first that has figures
            besides "unregistered".
        per_seed: whether each seed gets a row of its own.
    """

    metrics: tuple[Metric, ...]
    queries: tuple[RowQuery, ...] = ()
    reference: str | None = None
    per_seed: bool = False


def comparisons(
    found: Sequence[Evaluated], split: str, metrics: Sequence[Metric]
) -> list[Comparison]:
    """The comparison with the published figures, for each data set and set of pairs.

    Returns:
        Those on published data first; each says in its notes what sets it apart.
    """
    known = {row.dataset for row in read_published()}
    groups = sorted(
        by_subject(found), key=lambda group: (group[0].run.dataset not in known, group[0].run.id)
    )
    design = Design(tuple(metrics))
    made = [build(group, split, design) for group in groups]
    return [
        replace(table, notes=(*table.notes, f"Apart from the first table: {difference}."))
        if (difference := table.subject.difference(made[0].subject))
        else table
        for table in made
    ]


def build(group: Sequence[Evaluated], split: str, design: Design) -> Comparison:
    """One table of runs with one subject.

    Args:
        group: at least one run.
        split: that they were evaluated on.
        design: rows and columns.

    Raises:
        ValueError: a query fits several configurations, or the reference is no row with figures.
    """
    initial, initial_of = _initial(group)
    rows, notes = _rows(group, split, design)
    rows = [
        replace(row, runs=(initial_of,), tables=(initial,))
        if row.name == UNREGISTERED and initial is not None and initial_of is not None
        else row
        for row in rows
    ]
    samples = [
        {metric.key: sample(row.tables, metric, initial) for metric in design.metrics}
        if row.tables
        else {}
        for row in rows
    ]
    rows = [
        replace(row, figures={m.key: figure(of[m.key], m) for m in design.metrics if of})
        for row, of in zip(rows, samples, strict=True)
    ]
    at = _reference(rows, design.reference)
    if at is not None:
        rows = _compare(rows, samples, at, design.metrics)
    ranked = [row for row in rows if row.tables]
    return Comparison(
        subject=group[0].subject,
        split=split,
        metrics=design.metrics,
        rows=tuple(rows),
        reference=None if at is None else rows[at].name,
        ranks=_ranks(ranked, initial),
        ranked=tuple(row.name for row in ranked),
        notes=tuple(notes),
    )


def sample(tables: Sequence[PairTable], metric: Metric, initial: PairTable | None) -> Sample:
    """One value a pair of a metric: the mean over labels, then over seeds.

    Args:
        tables: of one method, one a seed; of equal pairs and labels.
        metric: which, of which labels.
        initial: says which cases are the hardest; without it there are none.
    """
    cases = np.stack([table.values[metric.column] for table in tables])
    if not metric.per_label:
        cases = cases[:, :, :1]
    elif metric.reduce == "hardest":
        chosen = np.zeros_like(cases[0], dtype=bool) if initial is None else hardest(initial)
        cases = np.where(chosen, cases, nan)
    if metric.label is not None:
        if metric.label not in tables[0].labels:
            raise ValueError(
                f"{metric.key}: the labels are {', '.join(map(str, tables[0].labels))}"
            )
        at = tables[0].labels.index(metric.label)
        cases = cases[:, :, at : at + 1]
    known = ~np.isnan(cases[0])
    # Each case counts once in a figure over cases; elsewhere each pair does.
    weights = known.sum(-1) if metric.reduce == "hardest" else np.ones(len(known))
    return Sample(_known_mean(_known_mean(cases, 2), 0), weights.astype(np.float64))


def hardest(initial: PairTable) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(pairs, labels) which 30 % of the cases overlap least before registration."""
    dice = np.nan_to_num(initial.values["dice"], nan=0.0)
    order = np.argsort(dice.ravel(), kind="stable")[: round(dice.size * HARD_SHARE)]
    chosen = np.zeros(dice.size, dtype=bool)
    chosen[order] = True
    return chosen.reshape(dice.shape)


def _known_mean(values: Values, axis: int) -> Values:
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Values = np.where(known, values, 0.0).sum(axis) / known.sum(axis)
    return means


def _rows(group: Sequence[Evaluated], split: str, design: Design) -> tuple[list[Row], list[str]]:
    notes: list[str] = []
    rows: list[Row] = []

    def add(name: str, method: str, choice: Choice, published: Mapping[str, float]) -> None:
        notes.extend(choice.notes)
        row = Row(name, method, choice.runs, tuple(item.table for item in choice.runs))
        rows.append(replace(row, published=published))

    if design.queries:
        _add_queries(group, design, add)
    else:
        _add_published(group, split, notes, add)
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


def _add_published(group: Sequence[Evaluated], split: str, notes: list[str], add: Any) -> None:
    dataset = group[0].run.dataset
    named = {item.run.name: RowQuery("", item.run.name) for item in group}
    published = [row for row in read_published() if row.dataset == dataset]
    for row in published or [Published(UNREGISTERED, "Unregistered", split, dataset, {})]:
        here = row.split == split and row.name in named
        choice = choose(group, named.pop(row.name)) if here else Choice((), ())
        add(row.name, row.method, choice, row.figures)
        if row.split == "test":
            notes.append(
                f"{row.method}: its labels were never published, so the only figures are those "
                "that the challenge's server gave."
            )
    for name, query in named.items():
        add(name, _capital(name), choose(group, query), {})


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


def _initial(group: Sequence[Evaluated]) -> tuple[PairTable | None, Evaluated | None]:
    """The figures of no registration, from the newest run that kept them for the same pairs."""
    for item in reversed(group):
        if item.initial is not None:
            return item.initial, item
    return None, None


def _reference(rows: Sequence[Row], name: str | None) -> int | None:
    places = [i for i, row in enumerate(rows) if row.figures]
    if name is None:
        ours = [i for i in places if rows[i].name != UNREGISTERED]
        # One method alone is compared with no registration.
        some = ours if len(ours) > 1 else places
        return some[0] if len(some) > 1 else None
    for i in places:
        if name.casefold() in (rows[i].name.casefold(), rows[i].method.casefold()):
            return i
    names = ", ".join(repr(rows[i].name) for i in places)
    raise ValueError(f"the reference {name!r} is no row with figures; those are {names}")


def _compare(
    rows: Sequence[Row],
    samples: Sequence[Mapping[str, Sample]],
    at: int,
    metrics: Sequence[Metric],
) -> list[Row]:
    places = [i for i, row in enumerate(rows) if row.figures and i != at]
    family = [(i, metric.key) for i in places for metric in metrics]
    found = {
        (i, metric.key): against(samples[i][metric.key], samples[at][metric.key], metric)
        for i in places
        for metric in metrics
    }
    corrected = dict(zip(family, holm([found[key].p for key in family]), strict=True))
    compared = []
    for i, row in enumerate(rows):
        of_row = {
            key: replace(value, p_holm=corrected[j, key])
            for (j, key), value in found.items()
            if j == i
        }
        compared.append(replace(row, against=of_row))
    return compared


def _ranks(rows: Sequence[Row], initial: PairTable | None) -> tuple[RankScores, ...]:
    """Rank scores of all rows with figures; the hardest cases need those before registration."""
    if len(rows) < 2 or initial is None:
        return ()

    def cases(column: str) -> Values:
        return np.stack(
            [_known_mean(np.stack([t.values[column] for t in row.tables]), 0) for row in rows]
        )

    sdlogj = cases("sdlogj")[:, :, :1]
    for i, row in enumerate(rows):
        if row.name == UNREGISTERED:
            # The code gives the pairs as they were the worst smoothness.
            sdlogj[i] = nan
    before = initial.values["dice"][None]
    return tuple(rank_scores(cases("dice"), cases("hd95"), sdlogj, before, t) for t in TESTS)
