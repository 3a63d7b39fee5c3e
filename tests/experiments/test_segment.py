"""Training a segmentation as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from experiments.folds import LAST_EPOCH, left_out
from experiments.plain import plain
from experiments.records import read_metrics
from experiments.resume import ResumeError, command_line
from experiments.segment import experiment
from experiments.segmentation.cases import SegmentationCases, load_cases
from experiments.segmentation.fit import Evaluator, optimise, provenance, start
from experiments.settings import inference
from hipreg.data import splits_for
from hipreg.evaluation.segmentation import segment_cases
from hipreg.models import load_checkpoint
from hipreg.training import BY_DICE, Evaluate, SaveCheckpoints

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"crop_size": 32, "threads": 1, "max_cases": 6, "folds": 3, "epochs": 1}


def configuration(**entries: Any) -> dict[str, Any]:
    """The configuration of a training that takes seconds."""
    run = experiment._create_run(
        config_updates={**SMALL, **entries}, named_configs=["debug", "synthetic"]
    )
    return dict(plain(run.config))


@pytest.fixture(scope="module")
def cases() -> SegmentationCases:
    return load_cases(configuration(fold=0), torch.device("cpu"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    words = [f"{key}={value}" for key, value in SMALL.items()]
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / "experiments" / "segment.py"),
            *("with", "debug", "synthetic", "fold=0", "average=0.9", *words),
        ],
        cwd=runs,
        env={**os.environ, "HIPREG_RUNS": str(runs)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return runs / "1"


def test_run_is_recorded_with_every_number_and_file(finished: Path) -> None:
    assert json.loads((finished / "run.json").read_text())["status"] == "COMPLETED"
    series = read_metrics(finished / "metrics.jsonl")
    for split in ("train", "fold"):
        assert {f"{split}/dice", f"{split}/hd95", f"{split}/dice/label_1"} <= set(series)
    assert not {name for name in series if name.startswith(("selection/", "val/"))}
    assert {"train/loss", "train/loss/dice", "train/weighted/cross_entropy"} <= set(series)
    assert {path.name for path in (finished / "artifacts").iterdir()} == {
        "best.pt",
        "last.pt",
        "cases_fold.csv",
        "history.csv",
        "curves.png",
        "panel.png",
    }


def test_checkpoint_names_the_cases_that_it_has_not_seen(finished: Path) -> None:
    best, last = (
        load_checkpoint(finished / "artifacts" / f"{name}.pt") for name in ("best", "last")
    )
    assert (best.metadata["fold"], best.metadata["folds"]) == (0, 3)
    assert len(best.metadata["left_out"]) == 2
    # The fold chooses no epoch, however its Dice went.
    assert best.metadata["epoch"] == last.metadata["epoch"] == 1


def test_run_is_resumed_by_its_own_command_alone(finished: Path) -> None:
    with pytest.raises(ResumeError, match=r"experiments/segment.py resume 1"):
        command_line(["resume", "1"], finished.parent)
    with pytest.raises(ResumeError, match="no run with a checkpoint"):
        command_line(["resume", "latest"], finished.parent)
    words = command_line(
        ["resume", "latest", "with", "epochs=2"], finished.parent, experiment="segment"
    )
    assert f"resume_from={finished}" in words


def test_folds_divide_the_cases() -> None:
    numbers = list(range(10, 33))
    folds = [left_out(numbers, fold=fold, folds=5) for fold in range(5)]
    assert sorted(case for fold in folds for case in fold) == numbers
    assert {len(fold) for fold in folds} <= {4, 5}
    assert left_out(numbers, fold=None, folds=5) == []


@pytest.mark.parametrize(("fold", "folds"), [(5, 5), (-1, 5), (0, 1), (0, 24)])
def test_impossible_fold_is_refused(fold: int, folds: int) -> None:
    with pytest.raises(ValueError, match="numbered from 0"):
        left_out(range(23), fold=fold, folds=folds)


def test_fold_is_measured_and_not_trained_on(cases: SegmentationCases) -> None:
    apart = set(cases.held["fold"].cases)
    assert len(apart) == 2
    assert not apart & set(cases.fit.cases)
    assert set(cases.held) == {"train", "fold"}


def test_folds_of_all_training_cases_hold_selection_cases_too() -> None:
    found = [
        load_cases(configuration(fold=k, max_cases=None), torch.device("cpu")) for k in (0, 1)
    ]
    splits = splits_for(found[0].cohort.description)
    for cases in found:
        apart = cases.held["fold"].cases
        assert sorted((*apart, *cases.fit.cases)) == list(splits.train)
    assert set(splits.selection) & set(found[0].held["fold"].cases)
    assert set(splits.selection) & set(found[0].fit.cases)


def trained_on(
    cases: SegmentationCases, folder: Path, fold: int | None
) -> Mapping[str, np.ndarray[Any, Any]]:
    """Weights of a short training, and the labels that it predicts for the reported cases."""
    config = configuration(fold=fold)
    net, state = start(config, cases)
    evaluator = Evaluator(net, cases, inference(config, (32, 32, 32)), ())
    criterion = BY_DICE if fold is None else LAST_EPOCH
    saving = SaveCheckpoints(
        folder, net.architecture, metadata={}, every=1, epochs=1, criterion=criterion
    )
    hooks = [Evaluate(evaluator.monitor, every=1, epochs=1), saving]
    optimise(state, config, cases, evaluator.inference, hooks=hooks)
    weights = load_checkpoint(folder / ("best.pt" if fold is None else "last.pt")).weights
    net.load_state_dict(weights)
    images = cases.held[cases.reported].images[:2]
    found = np.stack(list(segment_cases(net.eval(), images, evaluator.inference)))
    return {name: value.numpy() for name, value in weights.items()} | {"found": found}


@pytest.mark.parametrize("fold", [None, 0])
def test_shuffled_labels_of_reported_cases_change_no_weight_and_no_prediction(
    fold: int | None, tmp_path: Path
) -> None:
    cases = load_cases(configuration(fold=fold), torch.device("cpu"))
    held = cases.held[cases.reported]
    shuffled = replace(held, labels=held.labels.flip(0, 2))
    assert not torch.equal(shuffled.labels, held.labels)
    first = trained_on(cases, tmp_path / "as they are", fold)
    changed = replace(cases, held={**cases.held, cases.reported: shuffled})
    other = trained_on(changed, tmp_path / "shuffled", fold)
    assert all(np.array_equal(first[name], other[name]) for name in first)


def test_provenance_without_a_fold_names_no_cases(cases: SegmentationCases) -> None:
    class Unrecorded:
        _id = None

    config = configuration()
    whole = replace(cases, held={"val": cases.held["fold"]})
    found = provenance(Unrecorded(), config, whole)  # type: ignore[arg-type]
    assert (found["fold"], found["left_out"]) == (None, [])
