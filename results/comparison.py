"""Builds ablation tables: every row's figures, and what they are against the reference row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np

from results.measurements import UNREGISTERED, Evaluated, PairTable, Subject
from results.metrics import Metric
from results.published import read_published
from results.ranking import TESTS, RankScores, rank_scores
from results.rows import Design, Row, make_rows
from results.samples import known_mean, sample
from results.selection import by_subject
from results.statistics import Sample, Values, against, figure, holm


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


def comparisons(found: Sequence[Evaluated], split: str, design: Design) -> list[Comparison]:
    """The comparison with the published figures, for each data set and set of pairs.

    Returns:
        Those on published data first; each says in its notes what sets it apart.
    """
    known = {row.dataset for row in read_published()}
    groups = sorted(
        by_subject(found), key=lambda group: (group[0].run.dataset not in known, group[0].run.id)
    )
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
    rows, notes = make_rows(group, split, design)
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
            [known_mean(np.stack([t.values[column] for t in row.tables]), 0) for row in rows]
        )

    sdlogj = cases("sdlogj")[:, :, :1]
    for i, row in enumerate(rows):
        if row.name == UNREGISTERED:
            # The code gives the pairs as they were the worst smoothness.
            sdlogj[i] = nan
    before = initial.values["dice"][None]
    return tuple(rank_scores(cases("dice"), cases("hd95"), sdlogj, before, t) for t in TESTS)
