"""Folds of the training cases: which cases a training is for, and which it leaves out.

A training that leaves out a fold takes all other training cases, those that else choose the best
epoch among them, and chooses no epoch: its last one is taken. What it leaves out is measured and
decides nothing, and the validation cases are not touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.errors import PlainError
from hipreg.data.splits import Splits
from hipreg.models import Checkpoint
from hipreg.training import Criterion

FOLD = "fold"
"""What the left-out cases are called beside ``train``, ``selection`` and ``val``."""

SPLIT_NAMES = {"val": "validation", FOLD: "left-out"}
"""Splits in words; others are called what they are."""

LEFT_OUT = "left_out"
"""Entry of a checkpoint's metadata with the cases that its network has not seen."""

LAST_EPOCH = Criterion("nothing", "nothing: the last epoch is taken")
"""No log has a metric of this name, so that no epoch is better than another."""


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


def divided(splits: Splits, config: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """The cases that a configuration trains on, and those that it leaves out.

    Raises:
        ValueError: As :func:`left_out`.
    """
    # Recorded configurations may be from before these entries.
    fold = config.get("fold")
    some_choose = fold is None and not config.get("merge_selection")
    whole = splits.fit if some_choose else splits.train
    usable = whole[: config["max_cases"]]
    apart = left_out(usable, fold=fold, folds=config.get("folds", 0))
    return [case for case in usable if case not in set(apart)], apart


def fold_words(config: Mapping[str, Any]) -> list[str]:
    """What a configuration's fold adds to the name of its runs."""
    return [] if config.get("fold") is None else [f"fold {config['fold']} of {config['folds']}"]


def provenance_of_fold(config: Mapping[str, Any], apart: Sequence[int]) -> dict[str, Any]:
    """What is stored of a fold with the weights."""
    return {
        "fold": config["fold"],
        "folds": None if config["fold"] is None else config["folds"],
        LEFT_OUT: list(apart),
    }


def refuse_seen(checkpoint: Checkpoint, apart: Sequence[int], what: str) -> None:
    """Refuse weights that were trained on cases which are to be left out.

    Args:
        checkpoint: The weights.
        apart: The cases.
        what: To call the weights in the error.

    Raises:
        PlainError: They were, or may have been.
    """
    seen = sorted(set(apart) - set(checkpoint.metadata.get(LEFT_OUT) or ()))
    if seen:
        raise PlainError(
            f"{what} was trained on {len(seen)} of the {len(apart)} cases that are to be left out "
            f"(case {seen[0]}, for one); it takes one of the same fold and folds"
        )
