"""A registration that leaves out a fold: what it trains on, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.cases import fold_pairs, load_cases
from experiments.errors import PlainError
from experiments.folds import LAST_EPOCH, refuse_seen
from experiments.segmenters import refuse_seen_segmenter
from hipreg.data import CasePair, describe, splits_for
from hipreg.models import Checkpoint, build_net, save_checkpoint
from tests.experiments.test_configs import configuration
from tests.helpers import TINY

SMALL = describe("synthetic_small")
CPU = torch.device("cpu")


def config_of(**entries: Any) -> dict[str, Any]:
    return configuration("velocity", dataset=SMALL.name, crop_size=32, **entries)


def test_folds_divide_all_training_cases_and_touch_no_validation_case() -> None:
    splits = splits_for(SMALL)
    measured = []
    for fold in range(3):
        cases = load_cases(config_of(fold=fold, folds=3), CPU)
        measured += cases.apart
        assert not set(cases.apart) & set(cases.fit.cases)  # type: ignore[attr-defined]
        assert sorted((*cases.apart, *cases.fit.cases)) == list(splits.train)  # type: ignore[attr-defined]
        assert set(cases.pairs) == {"train", "fold"}
        assert {case for pair in cases.pairs["fold"] for case in pair} == set(cases.apart)
        assert not set(cases.held.cases) & set(splits.val)
    assert sorted(measured) == list(splits.train)


def test_without_a_fold_selection_cases_choose_and_are_not_trained_on() -> None:
    cases = load_cases(config_of(), CPU)
    assert cases.fit.cases == splits_for(SMALL).fit  # type: ignore[attr-defined]
    assert (cases.criterion.metric, cases.reported, cases.apart) == ("selection/dice", "val", ())


def test_merged_selection_cases_are_trained_on_and_choose_nothing() -> None:
    cases = load_cases(config_of(merge_selection=True), CPU)
    assert cases.fit.cases == splits_for(SMALL).train  # type: ignore[attr-defined]
    assert set(cases.pairs) == {"train", "val"}
    assert (cases.criterion, cases.reported) == (LAST_EPOCH, "val")


def test_pairs_of_a_fold_are_those_of_the_official_rule_without_a_case_and_itself() -> None:
    assert fold_pairs(SMALL, [4, 1, 2, 3]) == [
        CasePair(1, 4),
        CasePair(2, 3),
        CasePair(3, 2),
        CasePair(4, 1),
    ]
    assert fold_pairs(SMALL, [1, 2, 3]) == [CasePair(1, 3), CasePair(3, 1)]
    with pytest.raises(ValueError, match="at least 2 cases, this one has 1"):
        fold_pairs(SMALL, [1])


def test_name_of_a_run_says_its_fold() -> None:
    assert config_of(fold=1, folds=3)["name"] == "velocity fold 1 of 3"
    assert config_of()["name"] == "velocity"


def test_weights_from_elsewhere_are_refused() -> None:
    with pytest.raises(ValueError, match="init_from=7 and fold=0"):
        load_cases(config_of(fold=0, folds=3, init_from="7"), CPU)


def test_segmenter_that_has_seen_the_fold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.pt"
    save_checkpoint(path, Checkpoint(TINY, build_net(TINY).state_dict(), {"left_out": [1, 4]}))
    config = config_of(segmenter=str(path))
    refuse_seen_segmenter(config, [1, 4])
    refuse_seen_segmenter(config, [])
    with pytest.raises(PlainError, match=r"best\.pt: that network was trained on 1 of the 2"):
        refuse_seen_segmenter(config, [1, 7])


def test_weights_that_say_nothing_of_what_they_left_out_have_seen_all() -> None:
    with pytest.raises(PlainError, match=r"3 of the 3 cases .* \(case 2, for one\)"):
        refuse_seen(Checkpoint(TINY, {}), [2, 5, 8], "that")
