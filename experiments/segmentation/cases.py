"""The cases that a segmentation trains on and is measured on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments.cases import MONITORED_TRAINING_PAIRS
from experiments.folds import FOLD, divided
from hipreg.data import Cohort, describe, load_cohort, splits_for
from hipreg.data.batches import CaseBank


@dataclass(frozen=True, slots=True)
class SegmentationCases:
    """What an experiment trains and evaluates on.

    Attributes:
        cohort: All cases of the data set.
        fit: The cases to train on.
        held: The cases that are measured, by name: ``train`` (a sample of ``fit``), ``selection``
            (chooses the best epoch) and ``val`` (for reporting alone); where a fold is left out,
            ``train`` and ``fold`` alone.
    """

    cohort: Cohort
    fit: CaseBank
    held: Mapping[str, CaseBank]

    @property
    def reported(self) -> str:
        """The cases that the best weights are measured on at the end."""
        return FOLD if FOLD in self.held else "val"

    @property
    def labels(self) -> tuple[int, ...]:
        """The label values of the data set."""
        return tuple(sorted(self.cohort.description.labels))


def load_cases(config: Mapping[str, Any], device: torch.device) -> SegmentationCases:
    """Find, check, prepare and load the data of a configuration.

    Raises:
        ValueError: For anything wrong with the data, before any time is spent on training.
    """
    description = describe(config["dataset"])
    data_dir = Path(config["data_dir"]) if config["data_dir"] else None
    cohort = load_cohort(description.name, data_dir=data_dir)
    splits = splits_for(description)
    fit, apart = divided(splits, config)
    held = {"train": fit[:MONITORED_TRAINING_PAIRS]}
    if apart:
        held[FOLD] = apart
    else:
        if not config.get("merge_selection"):
            held["selection"] = list(splits.selection)
        held["val"] = list(splits.val)
    return SegmentationCases(
        cohort=cohort,
        fit=CaseBank.of(cohort, fit, device=device),
        held={name: CaseBank.of(cohort, cases, device=device) for name, cases in held.items()},
    )
