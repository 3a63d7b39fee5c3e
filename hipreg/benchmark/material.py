"""The cases that are measured on: real ones where they are found, synthetic ones elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import torch

from hipreg.data import (
    CasePair,
    Cohort,
    DataNotFoundError,
    describe,
    load_cohort,
    pairs_for,
    reversed_pairs,
    splits_for,
    synthetic_cohort,
    tight_size,
)
from hipreg.data.batches import CaseBank
from hipreg.types import Size

TRAINING_CASES = 24
EVALUATION_PAIRS = 60
PUBLISHED_CASES = 200
"""Training cases of the challenge, for the time of a whole training."""


@dataclass(frozen=True, slots=True)
class Material:
    """What everything is measured on.

    Attributes:
        title: For people.
        synthetic: Whether no real data was found (or asked for).
        training: Cases of the training steps.
        held: Cases of the evaluation pairs.
        pairs: To be evaluated.
        labels: Label values.
        size: Of the cases' grid.
        tight: The smallest crop, in multiples of 16, that keeps all of every case.
    """

    title: str
    synthetic: bool
    training: CaseBank
    held: CaseBank
    pairs: tuple[CasePair, ...]
    labels: tuple[int, ...]
    size: Size
    tight: Size


def load_material(
    *, device: torch.device, data_dir: Path | None = None, pairs: int = EVALUATION_PAIRS
) -> Material:
    """The hippocampus cases, or synthetic ones where they are not found.

    Args:
        device: Where the cases are to lie.
        data_dir: Where the data lies; None: as in training.
        pairs: How many pairs are to be evaluated.

    Raises:
        ValueError: The data is there and bad.
    """
    try:
        cohort = load_cohort("hippocampus", data_dir=data_dir)
    except DataNotFoundError:
        size = describe("synthetic").size
        return synthetic_material(size=size, device=device, pairs=pairs)
    cases = splits_for(cohort.description).fit[:TRAINING_CASES]
    named = pairs_for(cohort.description, "val")[:pairs]
    return _material(cohort, cases, tuple(named), device)


def synthetic_material(
    *, size: Size, device: torch.device, pairs: int, cases: int = TRAINING_CASES
) -> Material:
    """Synthetic cases; pairs to be evaluated repeat where they are more than the cases."""
    description = replace(describe("synthetic"), size=size)
    cohort = synthetic_cohort(description, n=cases, seed=0)
    named = tuple(islice(cycle(reversed_pairs(cohort.cases)), pairs))
    return _material(cohort, cohort.cases, named, device)


def _material(
    cohort: Cohort, cases: tuple[int, ...], pairs: tuple[CasePair, ...], device: torch.device
) -> Material:
    held = sorted({case for pair in pairs for case in pair})
    return Material(
        title=cohort.description.title,
        synthetic=cohort.description.synthetic is not None,
        training=CaseBank.of(cohort, cases, device=device),
        held=CaseBank.of(cohort, held, device=device),
        pairs=pairs,
        labels=tuple(sorted(cohort.description.labels)),
        size=cohort.size,
        tight=tight_size(cohort),
    )
