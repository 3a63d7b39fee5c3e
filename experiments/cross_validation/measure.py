"""Registers the pairs of a fold in every way of the table, and puts on record what came of it.

A fold has a folder with a CSV and a JSON file a row, see ``experiments.peers.record``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments import settings
from experiments.cases import fold_pairs
from experiments.cross_validation.plan import Row
from experiments.cross_validation.progress import Progress
from experiments.cross_validation.training import StoppedError, weights_of
from experiments.folds import refuse_seen
from experiments.peers.command import job_of
from experiments.peers.methods import OURS, digest, versions_of
from experiments.peers.record import FORMAT, Record, open_record, read_record
from experiments.prediction import predictions
from experiments.records import RunRecord
from experiments.signals import STOP
from experiments.snapshot import machine
from experiments.trained import trained_model
from hipreg.data import CasePair, Cohort
from hipreg.evaluation import DEFINITIONS, evaluate_pair
from hipreg.models import Model, load_checkpoint
from hipreg.prediction import Refinement

PAIRS = "pairs"
"""Kind of work: a pair, registered in one way."""

VARIANT = "variant"


@dataclass(frozen=True, slots=True)
class Fold:
    """The left-out cases that are measured.

    Attributes:
        number: From 0.
        name: In words.
        cases: Their numbers.
        cohort: All cases of the data set.
        folder: Of its records.
    """

    number: int
    name: str
    cases: Sequence[int]
    cohort: Cohort
    folder: Path

    @property
    def pairs(self) -> list[CasePair]:
        """What is registered."""
        return fold_pairs(self.cohort.description, self.cases)


@dataclass(frozen=True, slots=True)
class Way:
    """A row of the table, ready to register, with its record."""

    row: Row
    model: Model | None
    record: Record


def measure_fold(
    fold: Fold,
    rows: Sequence[Row],
    networks: Mapping[str, RunRecord],
    bar: Progress,
    about: Mapping[str, Any],
) -> None:
    """Register and measure what is not on record.

    Pair by pair rather than row by row: what else the machine does meanwhile slows all alike.

    Args:
        fold: The left-out cases.
        rows: Of the table.
        networks: The finished run of each registration, by its row.
        bar: Told of every pair.
        about: What all records hold.

    Raises:
        PlainError: A network has seen a case of the fold, or an earlier record is of others.
        StoppedError: This process was asked to end.
    """
    device = settings.device(next(iter(networks.values())).config)
    # Where all is done, too: a network that was trained anew since is told of.
    models = {name: unseen_model(record, fold.cases) for name, record in networks.items()}
    ways = [way_of(row, models, fold, about) for row in rows]
    todo = [(pair, way) for pair in fold.pairs for way in ways if pair not in way.record.done]
    if not todo:
        return
    bar.begin(PAIRS, f"measuring, {fold.name}")
    _warm_up(models.values(), fold, device)
    for count, (pair, way) in enumerate(todo, start=1):
        if STOP.asked is not None:
            raise StoppedError
        register(way, pair, fold, device)
        bar.at(count)
    bar.say(f"{fold.name}: {len(fold.pairs)} pairs, {len(rows)} rows")


def register(way: Way, pair: CasePair, fold: Fold, device: torch.device) -> None:
    """Register one pair in one way, measure it, and put it on record."""
    cohort = fold.cohort
    began, cpu = time.perf_counter(), time.process_time()
    if way.model is None:
        field = np.zeros((3, *cohort.size), dtype=np.float32)
    else:
        model, refinement = way.row.variant.of(way.model), way.row.variant.refinement
        ((_, field),) = predictions(model, cohort, [pair], refinement, device)
    spent = time.perf_counter() - began, time.process_time() - cpu
    labels = sorted(cohort.description.labels)
    rows = evaluate_pair(job_of(pair, cohort, field), labels)
    way.record.add(pair, rows, *(round(seconds, 4) for seconds in spent))


def unseen_model(record: RunRecord, cases: Sequence[int]) -> Model:
    """The model of a run that has seen none of the cases.

    Raises:
        PlainError: It has.
    """
    path = weights_of(record)
    refuse_seen(load_checkpoint(path), cases, f"run {record.id} ({path})")
    return trained_model(str(record.folder)).model


def way_of(row: Row, models: Mapping[str, Model], fold: Fold, about: Mapping[str, Any]) -> Way:
    """A row with its model and its record.

    Raises:
        PlainError: There is a record of another network or of other settings.
    """
    model = None if row.register is None else models[row.register]
    size = fold.cohort.size if model is None else model.size
    used = {} if model is None else {"weights": digest(model), **row.variant.told()}
    path = record_path(fold, row)
    path.parent.mkdir(parents=True, exist_ok=True)
    described = {
        "format": FORMAT,
        "method": row.name,
        "kind": VARIANT,
        "settings": used,
        "size": list(size),
        "versions": versions_of(OURS),
        "data": {
            "dataset": fold.cohort.description.name,
            "fingerprint": fold.cohort.fingerprint,
            "split": fold.name,
        },
        "metric_definitions": DEFINITIONS,
        "threads": torch.get_num_threads(),
        "cpu": machine()["cpu"],
        **about,
    }
    return Way(row, model, open_record(path, described))


def record_path(fold: Fold, row: Row) -> Path:
    """The JSON file of a row's record; the CSV file lies beside it."""
    return fold.folder / f"{row.file}.json"


def done(fold: Fold, row: Row) -> set[CasePair]:
    """The pairs of a fold that a row has on record."""
    path = record_path(fold, row)
    return read_record(path).done if path.exists() else set()


def _warm_up(models: Iterable[Model], fold: Fold, device: torch.device) -> None:
    """What is compiled or looked up at the first use is none of a pair's time."""
    for model in models:
        list(predictions(model, fold.cohort, fold.pairs[:1], Refinement(steps=1), device))
