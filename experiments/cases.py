"""The cases and pairs of an experiment, on its device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from experiments.folds import FOLD, LAST_EPOCH, divided
from hipreg.data import (
    CasePair,
    Cohort,
    DatasetDescription,
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
            (held out of them, chooses the best epoch) and ``val`` (for reporting alone); where a
            fold is left out, ``train`` and ``fold`` alone.
        criterion: What of the selection pairs chooses the best epoch.
        reported: The pairs that the best weights are measured on at the end.
        apart: The training cases that are left out.
    """

    cohort: Cohort
    fit: PairSource
    held: CaseBank
    pairs: Mapping[str, Sequence[CasePair]]
    criterion: Criterion = BY_DICE
    reported: str = "val"
    apart: Sequence[int] = ()

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
    fit, apart = divided(splits, config)
    if apart and config["init_from"] is not None:
        raise ValueError(
            f"init_from={config['init_from']} and fold={config['fold']}: weights from elsewhere "
            "may have seen the cases that are to be left out; train from scratch"
        )
    fit += list(splits.val) if config["merge_train_val"] else []
    fit = fit[: config["max_cases"]]
    pairs = {"train": reversed_pairs(fit[:MONITORED_TRAINING_PAIRS])}
    if apart:
        pairs[FOLD] = fold_pairs(description, apart)
    else:
        names = ("val",) if config.get("merge_selection") else ("selection", "val")
        pairs |= {name: pairs_for(description, name) for name in names}
    for name, some in pairs.items():
        check_pairs(some, cohort.cases, f"the {name} pairs of {description.title}")
    held = sorted({case for some in pairs.values() for pair in some for case in pair})
    return Cases(
        cohort=cohort,
        fit=CaseBank.of(cohort, fit, device=device),
        held=CaseBank.of(cohort, held, device=device),
        pairs=pairs,
        criterion=BY_DICE if "selection" in pairs else LAST_EPOCH,
        reported=FOLD if apart else "val",
        apart=tuple(apart),
    )


def fold_pairs(description: DatasetDescription, apart: Sequence[int]) -> list[CasePair]:
    """The evaluation pairs of left-out cases, by the rule of the data set.

    Of an odd number of cases the official rule pairs the middle one with itself; there is nothing
    to register in that.

    Raises:
        ValueError: There are fewer than two cases.
    """
    if len(apart) < 2:
        raise ValueError(f"pairs of a fold take at least 2 cases, this one has {len(apart)}")
    return [pair for pair in description.pair_rule(apart) if pair.fixed != pair.moving]
