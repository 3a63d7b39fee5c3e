"""Which recorded run stands for a cell of an ablation, and why; or what is to be done for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from experiments.records import (
    COMPLETED,
    DEAD,
    DIED,
    INTERRUPTED,
    RUNNING,
    TIMEOUT,
    RunRecord,
)
from hipreg.evaluation import DEFINITIONS
from studies.cells import Cell, essential
from studies.code import difference
from studies.schema import METRICS
from studies.training import data_of

TAKE, RESUME, WAIT, TRAIN = "recorded", "resume", "wait", "train"
STOPPED = (INTERRUPTED, TIMEOUT, DIED, DEAD)
"""What a run that can be resumed ended as."""

_MOST_NAMED = 3

Place = tuple[str | None, str | None]
"""A data set and the folder that its images are asked from."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is to be done for a cell.

    Attributes:
        do: TAKE, RESUME, WAIT (for a run that goes on elsewhere) or TRAIN.
        run: the run that this is about; None for a training of its own.
        why: in words.
    """

    do: str
    run: RunRecord | None
    why: str


@dataclass(frozen=True, slots=True)
class Present:
    """What a training would be made of now.

    Attributes:
        code: digests of its sources; None where other code is welcome too.
        data: data set and fingerprint by data set and folder.
    """

    code: Mapping[str, str] | None
    data: Mapping[Place, str]

    def data_for(self, cell: Cell) -> str:
        """Data set and fingerprint of a cell."""
        return self.data[place_of(cell)]


def place_of(cell: Cell) -> Place:
    """Where a cell's images come from."""
    return cell.config.get("dataset"), cell.config.get("data_dir")


def standing(cell: Cell, records: Sequence[RunRecord], now: Present) -> Standing:
    """Which run stands for a cell, the newest first, or what is to be done for it.

    Args:
        cell: of the grid.
        records: all runs, by ascending id.
        now: what a training would be made of.
    """
    wanted, fitting = essential(cell.config), []
    refused: list[str] = []
    by_id = {record.id: record for record in records}
    continued = {record.parent for record in records}
    for record in reversed(records):
        config = _config(record)
        if record.id in continued or config is None:
            continue
        if essential(config) != wanted:
            if all(config.get(key) == wanted[key] for key in ("name", "seed")):
                refused.append(f"run {record.id} has {_named(config, wanted)}")
            continue
        why = _unfit(record, cell, now, by_id)
        if why is None:
            fitting.append(record)
        else:
            refused.append(f"run {record.id}: {why}")
    for statuses, do, words in (
        ((COMPLETED,), TAKE, "same configuration, code and data"),
        ((RUNNING,), WAIT, "another process trains it"),
        (STOPPED, RESUME, "was stopped"),
    ):
        for record in fitting:
            if record.shown_status in statuses:
                how = f"{words} ({record.shown_status})" if do == RESUME else words
                return Standing(do, record, how)
    refused = [f"run {r.id} ended as {r.shown_status}" for r in fitting] + refused
    return Standing(TRAIN, None, refused[0] if refused else "nothing recorded")


def _unfit(
    record: RunRecord, cell: Cell, now: Present, by_id: Mapping[int, RunRecord]
) -> str | None:
    """Why a run of the cell's configuration is not of its training; None where it is."""
    ancestors = [by_id[run] for run in record.lineage[:-1] if run in by_id]
    for older in ancestors:
        if essential(_config(older) or {}) != essential(cell.config):
            return f"it extended run {older.id}, whose configuration was another"
    if now.code is not None:
        for part in (record, *ancestors):
            other = difference(part, now.code)
            if other is not None:
                return other
    try:
        data, metrics = data_of(record), record.info.get(METRICS)
    except ValueError as error:
        return str(error)
    unsaid = data is None and record.shown_status != COMPLETED  # stopped before it could say so
    if data != now.data_for(cell) and not unsaid:
        return f"other data ({data or 'unknown'})"
    if metrics not in (None, DEFINITIONS):
        return f"metric definitions {metrics}, now {DEFINITIONS}"
    first = ancestors[0] if ancestors else record
    if cell.weights is not None and _begun(first) < cell.weights.stat().st_mtime:
        return f"began before {cell.weights} was there as it is"
    return None


def _config(record: RunRecord) -> Mapping[str, Any] | None:
    try:
        return record.config
    except ValueError:
        return None


def _begun(record: RunRecord) -> float:
    try:
        begun = datetime.fromisoformat(str(record.document.get("start_time")))
    except ValueError:
        return 0.0
    return begun.replace(tzinfo=begun.tzinfo or UTC).timestamp()


def _named(config: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The entries in which a configuration differs from the one that is wanted."""
    found = essential(config)
    keys = sorted({*found, *wanted})
    others = [key for key in keys if found.get(key) != wanted.get(key)]
    named = [f"{key}={json.dumps(found.get(key))}" for key in others[:_MOST_NAMED]]
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    return ", ".join(named) + more
