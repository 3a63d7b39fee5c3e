"""The cases that a segmentation trains on and is measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments.cases import MONITORED_TRAINING_PAIRS
from hipreg.data import Cohort, describe, load_cohort, splits_for
from hipreg.data.batches import CaseBank


@dataclass(frozen=True, slots=True)
class SegmentationCases:
    """What an experiment trains and evaluates on.

    Attributes:
        cohort: All cases of the data set.
        fit: The cases to train on.
        held: The cases that are measured, by name: ``train`` (a sample of ``fit``), ``selection``
            (chooses the best epoch), ``val`` (for reporting alone), and ``fold`` where one of
            the folds of the training cases is left out.
    """

    cohort: Cohort
    fit: CaseBank
    held: Mapping[str, CaseBank]

    @property
    def labels(self) -> tuple[int, ...]:
        """The label values of the data set."""
        return tuple(sorted(self.cohort.description.labels))


def left_out(cases: Sequence[int], *, fold: int | None, folds: int) -> list[int]:
    """The cases of one fold: every ``folds``-th, so that each case is in exactly one.

    Args:
        cases: All that are divided.
        fold: Which, from 0; None for none.
        folds: How many there are.

    Raises:
        ValueError: If there is no such fold, or too few cases for so many.
    """
    if fold is None:
        return []
    if not 2 <= folds <= len(cases) or not 0 <= fold < folds:
        raise ValueError(
            f"fold={fold} of folds={folds}: {len(cases)} cases are divided into 2 to "
            f"{len(cases)} folds, numbered from 0 to one less than there are"
        )
    return list(cases[fold::folds])


def load_cases(config: Mapping[str, Any], device: torch.device) -> SegmentationCases:
    """Find, check, prepare and load the data of a configuration.

    Raises:
        ValueError: For anything wrong with the data, before any time is spent on training.
    """
    description = describe(config["dataset"])
    data_dir = Path(config["data_dir"]) if config["data_dir"] else None
    cohort = load_cohort(description.name, data_dir=data_dir)
    splits = splits_for(description)
    usable = splits.fit[: config["max_cases"]]
    apart = left_out(usable, fold=config["fold"], folds=config["folds"])
    fit = [case for case in usable if case not in set(apart)]
    held = {
        "train": fit[:MONITORED_TRAINING_PAIRS],
        "fold": apart,
        "selection": list(splits.selection),
        "val": list(splits.val),
    }
    return SegmentationCases(
        cohort=cohort,
        fit=CaseBank.of(cohort, fit, device=device),
        held={
            name: CaseBank.of(cohort, cases, device=device)
            for name, cases in held.items()
            if cases
        },
    )
