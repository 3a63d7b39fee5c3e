"""The cases and pairs of an experiment, on its device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hipreg.data import (
    CasePair,
    Cohort,
    check_pairs,
    describe,
    load_cohort,
    pairs_for,
    reversed_pairs,
    splits_for,
)
from hipreg.data.batches import CaseBank, PairSource
from hipreg.training import BY_DICE, Criterion

MONITORED_TRAINING_PAIRS = 20
"""Training pairs that the metrics under ``train/`` are measured on."""


@dataclass(frozen=True, slots=True)
class Cases:
    """What an experiment trains and evaluates on.

    Attributes:
        cohort: All cases of the data set.
        fit: What to train on.
        held: All cases of the evaluation pairs.
        pairs: Evaluation pairs by name: ``train`` (a sample of the training cases), ``selection``
            (held out of them, chooses the best epoch) and ``val`` (for reporting alone).
        criterion: What of the selection pairs chooses the best epoch.
        reported: The pairs that the best weights are measured on at the end.
    """

    cohort: Cohort
    fit: PairSource
    held: CaseBank
    pairs: Mapping[str, Sequence[CasePair]]
    criterion: Criterion = BY_DICE
    reported: str = "val"

    @property
    def labels(self) -> tuple[int, ...]:
        """The label values of the data set."""
        return tuple(sorted(self.cohort.description.labels))


def load_cases(config: Mapping[str, Any], device: torch.device) -> Cases:
    """Find, check, prepare and load the data of a configuration.

    Raises:
        ValueError: For anything wrong with the data, before any time is spent on training.
    """
    description = describe(config["dataset"])
    data_dir = Path(config["data_dir"]) if config["data_dir"] else None
    cohort = load_cohort(description.name, data_dir=data_dir)
    splits = splits_for(description)
    fit = list(splits.fit) + (list(splits.val) if config["merge_train_val"] else [])
    fit = fit[: config["max_cases"]]
    pairs = {
        "train": reversed_pairs(fit[:MONITORED_TRAINING_PAIRS]),
        "selection": pairs_for(description, "selection"),
        "val": pairs_for(description, "val"),
    }
    for name, some in pairs.items():
        check_pairs(some, cohort.cases, f"the {name} pairs of {description.title}")
    held = sorted({case for some in pairs.values() for pair in some for case in pair})
    return Cases(
        cohort=cohort,
        fit=CaseBank.of(cohort, fit, device=device),
        held=CaseBank.of(cohort, held, device=device),
        pairs=pairs,
    )
