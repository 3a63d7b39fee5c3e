"""Builds ablation tables: which runs stand for which row, and what must not be mixed."""

from __future__ import annotations

import csv
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hipreg.evaluation import LabelMetrics, aggregate, read_rows
from results.runs import Records, Run

logger = logging.getLogger(__name__)

PUBLISHED = Path(__file__).with_name("published.csv")
UNREGISTERED = "unregistered"

# Where a run was made, how it was watched and by which seed says nothing about its configuration.
_INCIDENTAL = frozenset(
    {"seed", "data_dir", "threads", "device", "print_every", "save_every", "eval_every"}
)
_MOST_DIFFERENCES = 3

_Figures = tuple[Mapping[str, float], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Published:
    """One row of published figures; nan where none was published."""

    name: str
    method: str
    split: str
    dataset: str
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One method in a table.

    Attributes:
        name: the configuration's name; "unregistered" for no registration at all.
        method: its words in the table.
        ours: dice, dice30, hd95, sdlogj, sdlogj_2020; empty where no run stands for the row.
        published: dice, dice30, hd95, jacobian; empty where none were.
        runs: ids of the runs behind ``ours``.
    """

    name: str
    method: str
    ours: Mapping[str, float]
    published: Mapping[str, float]
    runs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One table: rows that were all evaluated on the same pairs of the same data.

    Attributes:
        dataset: name of the data set.
        fingerprint: of its prepared data.
        split: the split that was evaluated.
        pairs: number of pairs.
        rows: the methods.
        codes: the commits behind the rows.
        notes: what a reader must know to read the rows rightly.
    """

    dataset: str
    fingerprint: str
    split: str
    pairs: int
    rows: tuple[Row, ...]
    codes: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Evaluated:
    run: Run
    rows: list[LabelMetrics]

    @property
    def subject(self) -> tuple[str, str, str]:
        """Data set, fingerprint and digest of the pairs and labels: equal, or not comparable."""
        keys = sorted((row.fixed, row.moving, row.label) for row in self.rows)
        digest = hashlib.sha256(repr(keys).encode()).hexdigest()
        return self.run.dataset, self.run.fingerprint, digest


def read_published(path: Path = PUBLISHED) -> list[Published]:
    """The published rows in the order of the file, whose "#" lines give the source."""
    with path.open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(line for line in file if not line.startswith("#"))
        return [
            Published(
                name=entry["name"],
                method=entry["method"],
                split=entry["split"],
                dataset=entry["dataset"],
                figures={
                    key: float(entry[key] or "nan")
                    for key in ("dice", "dice30", "hd95", "jacobian")
                },
            )
            for entry in table
        ]


def compare(records: Records, split: str = "val") -> tuple[list[Comparison], list[str]]:
    """One comparison for each data set and set of pairs that finished runs were evaluated on.

    Args:
        records: all recorded runs.
        split: whose metrics per pair are compared.

    Returns:
        The comparisons, those on published data first, and notes on every run left out.
    """
    evaluated: list[_Evaluated] = []
    left_out = [f"{item.folder.name}: {item.reason}" for item in records.damaged]
    for run in records.runs:
        reason = _unfit(run, split)
        if reason is None:
            try:
                evaluated.append(_Evaluated(run, read_rows(run.pairs(split))))
                continue
            except (OSError, ValueError) as error:
                reason = str(error)
        left_out.append(f"{run.id} ({run.name}): {reason}")
    groups: dict[tuple[str, str, str], list[_Evaluated]] = {}
    for item in evaluated:
        groups.setdefault(item.subject, []).append(item)
    published = read_published()
    known = {row.dataset for row in published}
    ordered = sorted(
        groups.values(), key=lambda group: (group[0].run.dataset not in known, group[0].run.id)
    )
    return [_comparison(group, split, published) for group in ordered], left_out


def _unfit(run: Run, split: str) -> str | None:
    if run.continued_by is not None:
        return f"continued as run {run.continued_by}"
    if not run.finished:
        return f"not finished ({run.status.lower()})"
    if not run.pairs(split).exists():
        return f"no {run.pairs(split).name}"
    if split == "val" and (run.config.get("merge_train_val") or "merge" in run.name.split()):
        return "trained on the validation cases"
    return None


def _comparison(
    group: Sequence[_Evaluated], split: str, published: Iterable[Published]
) -> Comparison:
    by_name: dict[str, list[_Evaluated]] = {}
    for item in group:
        by_name.setdefault(item.run.name, []).append(item)
    shown = [items[-1] for items in by_name.values()]
    known = _unregistered(group)
    known |= {item.run.name: (aggregate(item.rows), (item.run.id,)) for item in shown}
    rows = []
    notes = [_repeats(items) for items in by_name.values() if len(items) > 1]
    subject = shown[0].run
    for row in published:
        if row.dataset != subject.dataset:
            continue
        ours, runs = known.pop(row.name, ({}, ())) if row.split == split else ({}, ())
        rows.append(Row(row.name, row.method, ours, row.figures, runs))
        if row.split == "test":
            notes.append(f"{row.method}: the labels were never published; the server's figures.")
    for name, (ours, runs) in known.items():
        rows.append(Row(name, name[:1].upper() + name[1:], ours, {}, runs))
    return Comparison(
        dataset=subject.dataset,
        fingerprint=subject.fingerprint,
        split=split,
        pairs=len({(row.fixed, row.moving) for row in shown[0].rows}),
        rows=tuple(rows),
        codes=tuple(f"run {item.run.id}: {item.run.code}" for item in shown),
        notes=tuple(notes),
    )


def _unregistered(group: Sequence[_Evaluated]) -> dict[str, _Figures]:
    """The figures of no registration, from the newest run that kept them for the same pairs."""
    for item in reversed(group):
        path = item.run.pairs(UNREGISTERED)
        try:
            rows = read_rows(path)
        except (OSError, ValueError) as error:
            logger.warning("run %d: no unregistered figures: %s", item.run.id, error)
            continue
        if _Evaluated(item.run, rows).subject == item.subject:
            return {UNREGISTERED: (aggregate(rows), (item.run.id,))}
    return {}


def _repeats(items: Sequence[_Evaluated]) -> str:
    *others, newest = (item.run for item in items)
    listed = ", ".join(f"{run.id}{_difference(run, newest)}" for run in reversed(others))
    return f"{newest.name}: run {newest.id}, the newest, is shown; also finished: {listed}."


def _difference(run: Run, other: Run) -> str:
    keys = sorted((set(run.config) | set(other.config)) - _INCIDENTAL)
    different = [key for key in keys if run.config.get(key) != other.config.get(key)]
    if not different:
        return ""
    values = [f"{key}={run.config.get(key)}" for key in different[:_MOST_DIFFERENCES]]
    more = len(different) - len(values)
    return f" ({', '.join(values)}{f' and {more} more keys' if more else ''})"
