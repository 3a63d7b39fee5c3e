"""What runs measured: a table for each run, one tidy table of all, and what may not be mixed."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from hipreg.evaluation import LabelMetrics, read_rows
from results.runs import Run

UNREGISTERED = "unregistered"
_COLUMNS = tuple(field.name for field in fields(LabelMetrics))
_HEADER = ",".join(_COLUMNS).encode()
COLUMNS = _COLUMNS[3:]
"""What is measured of each pair and label."""

# Where a run was made, how it was watched and where it went on from is not its configuration.
INCIDENTAL = frozenset(
    {"data_dir", "threads", "device", "print_every", "save_every", "eval_every", "resume_from"}
    | {"study", "trial"}
)
SEED = "seed"
_MOST_NAMED = 3


@dataclass(frozen=True)
class PairTable:
    """The metrics of one evaluation.

    Attributes:
        pairs: (fixed, moving) in ascending order.
        labels: in ascending order.
        values: (pairs, labels) by column; what is of a whole pair is the same for its labels.
    """

    pairs: tuple[tuple[int, int], ...]
    labels: tuple[int, ...]
    values: Mapping[str, np.ndarray[Any, np.dtype[np.float64]]]

    @staticmethod
    def of(rows: Sequence[LabelMetrics], where: str) -> PairTable:
        """Arrange rows of any order.

        Raises:
            ValueError: there are none, or not each pair has each label once; says ``where``.
        """
        return _arranged(np.array([astuple(row) for row in rows], dtype=np.float64), where)

    @staticmethod
    def read(path: Path) -> PairTable:
        """Read a table that a run left.

        Raises:
            OSError: it cannot be read.
            ValueError: it is no such table.
        """
        content = path.read_bytes()
        try:
            return _parsed(content, path.name)
        except ValueError:
            # Slower by far, but it can say which line is wrong.
            return PairTable.of(read_rows(path), path.name)


@dataclass(frozen=True)
class Subject:
    """What was measured: only what has equal subjects may stand in one table.

    Attributes:
        dataset: name of the data set.
        fingerprint: of its prepared data.
        definitions: of the metrics.
        pairs: which were registered.
        labels: which were measured.
    """

    dataset: str
    fingerprint: str
    definitions: str
    pairs: tuple[tuple[int, int], ...]
    labels: tuple[int, ...]

    @cached_property
    def digest(self) -> str:
        """Eight characters that stand for the set of pairs and labels."""
        return hashlib.sha256(repr((self.pairs, self.labels)).encode()).hexdigest()[:8]

    def difference(self, other: Subject) -> str:
        """In which way two subjects differ, for a message; empty where they do not."""
        words = [
            f"{name} {mine} against {theirs}"
            for name, mine, theirs in (
                ("data set", self.dataset, other.dataset),
                ("data fingerprint", self.fingerprint, other.fingerprint),
                ("metric definitions", self.definitions, other.definitions),
                ("labels", _list(self.labels), _list(other.labels)),
            )
            if mine != theirs
        ]
        if self.pairs != other.pairs:
            words.append(_pair_difference(self.pairs, other.pairs))
        return "; ".join(words)


@dataclass(frozen=True)
class Evaluated:
    """A finished run with what it measured on one split.

    Attributes:
        run: the run.
        table: its metrics.
        initial: those of the same pairs before registration; None where it kept none of them.
    """

    run: Run
    table: PairTable
    initial: PairTable | None

    @cached_property
    def subject(self) -> Subject:
        """What it was measured on."""
        return Subject(
            self.run.dataset,
            self.run.fingerprint,
            definitions(self.run),
            self.table.pairs,
            self.table.labels,
        )

    @cached_property
    def configuration(self) -> str:
        """Hash of the configuration without the seed: runs that share it are repetitions."""
        return config_hash(self.run.config, without=INCIDENTAL | {SEED})

    @property
    def seed(self) -> Any:
        """The seed of its configuration."""
        return self.run.config.get(SEED)


class Measurement(NamedTuple):
    """One line of the tidy table; label 0 stands for a whole pair."""

    run: int
    lineage: str
    config: str
    code: str
    fingerprint: str
    split: str
    fixed: int
    moving: int
    label: int
    metric: str
    value: float


def tidy(evaluated: Iterable[Evaluated], split: str) -> Iterator[Measurement]:
    """All measurements of all runs, one number a line, those before registration last."""
    for item in evaluated:
        run = item.run
        about = (
            run.id,
            " ".join(map(str, run.lineage)),
            item.configuration,
            run.code,
            run.fingerprint,
        )
        for name, table in ((split, item.table), (UNREGISTERED, item.initial)):
            if table is None:
                continue
            for i, pair in enumerate(table.pairs):
                for column, values in table.values.items():
                    if column in ("dice", "hd95"):
                        for j, label in enumerate(table.labels):
                            value = float(values[i, j])
                            yield Measurement(*about, name, *pair, label, column, value)
                    else:
                        value = float(values[i, 0])
                        yield Measurement(*about, name, *pair, 0, column, value)


def write_tidy(file: IO[str], measurements: Iterable[Measurement]) -> None:
    """Write the tidy table as CSV."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(Measurement._fields)
    writer.writerows(measurements)


@functools.lru_cache(maxsize=64)
def _parsed(content: bytes, where: str) -> PairTable:
    """The table in a file's content; runs of a data set share that before registration."""
    head, _, body = content.partition(b"\n")
    if head != _HEADER:
        raise ValueError(f"{where}: other columns than {_HEADER.decode()}")
    numbers = [float(word) for word in body.replace(b"\n", b",").split(b",")[:-1]]
    return _arranged(np.array(numbers).reshape(-1, len(_COLUMNS)), where)


def _arranged(numbers: np.ndarray[Any, Any], where: str) -> PairTable:
    """Rows of the columns of :class:`LabelMetrics` in the order of pairs and labels."""
    names = numbers.reshape(-1, len(_COLUMNS))[:, :3].astype(int)
    pairs = sorted({(int(fixed), int(moving)) for fixed, moving, _ in names})
    labels = sorted({int(label) for label in names[:, 2]})
    wanted = len(pairs) * len(labels)
    if not wanted or len(numbers) != wanted or len(np.unique(names, axis=0)) != wanted:
        raise ValueError(
            f"{where}: wanted each of its {len(pairs)} pairs with each of its {len(labels)} "
            f"labels once, got {len(numbers)} rows"
        )
    order = np.lexsort((names[:, 2], names[:, 1], names[:, 0]))
    values = numbers[order, 3:].T.reshape(-1, len(pairs), len(labels))
    return PairTable(tuple(pairs), tuple(labels), dict(zip(COLUMNS, values, strict=True)))


def evaluate(run: Run, split: str) -> Evaluated:
    """Read what a finished run measured on a split.

    Raises:
        OSError: a table cannot be read.
        ValueError: a table is none, or holds other pairs than it should.
    """
    table = PairTable.read(run.pairs(split))
    initial = None
    path = run.pairs(UNREGISTERED)
    # What stands before registration is kept for the validation pairs alone.
    if path.exists():
        read = PairTable.read(path)
        initial = read if (read.pairs, read.labels) == (table.pairs, table.labels) else None
    return Evaluated(run, table, initial)


def definitions(run: Run) -> str:
    """Which definitions of the metrics a run used; those that named none are the first."""
    return str(run.info.get("metric_definitions", 1))


def config_hash(config: Mapping[str, Any], *, without: frozenset[str]) -> str:
    """Ten characters that stand for a configuration, whatever the order of its entries."""
    kept = {key: value for key, value in config.items() if key not in without}
    text = json.dumps(kept, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def config_difference(config: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The entries of ``config`` that differ in ``other``, a few by name; the seed is none."""
    keys = sorted((set(config) | set(other)) - INCIDENTAL - {SEED})
    different = [key for key in keys if config.get(key) != other.get(key)]
    named = [f"{key}={config.get(key)}" for key in different[:_MOST_NAMED]]
    more = len(different) - len(named)
    return ", ".join(named) + (f" and {more} more entries" if more else "")


def _pair_difference(mine: Sequence[tuple[int, int]], theirs: Sequence[tuple[int, int]]) -> str:
    words = [f"{len(mine)} pairs against {len(theirs)}"]
    for name, some in (
        ("only in the first", sorted(set(mine) - set(theirs))),
        ("only in the second", sorted(set(theirs) - set(mine))),
    ):
        if some:
            listed = ", ".join(f"{fixed}-{moving}" for fixed, moving in some[:_MOST_NAMED])
            words.append(f"{name}: {listed}{', ...' if len(some) > _MOST_NAMED else ''}")
    return " (".join([words[0], "; ".join(words[1:])]) + ")"


def _list(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
