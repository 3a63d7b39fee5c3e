"""The pretraining command as a user calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sacred import Experiment

from experiments.pretrain_cases import load_pretraining
from experiments.pretrain_configs import SOURCE_CONFIGS, add_pretraining_configs, pretraining
from experiments.pretrained import leave_pretrained, starting_weights
from experiments.records import read_metrics, read_record
from experiments.resume import ResumeError, command_line
from experiments.run_folder import write_json
from hipreg.data import DataError, DataNotFoundError, splits_for, synthetic_cohort
from hipreg.data.description import describe
from hipreg.losses import Objective
from hipreg.models import (
    Architecture,
    Checkpoint,
    CheckpointError,
    build,
    load_checkpoint,
    save_checkpoint,
)
from tests.data.heads import coarse_affine, write_head
from tests.experiments.test_configs import explained

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")
SMALL = ("debug", "crop_size=32", "pool_blocks=2", "threads=1", "max_cases=4", "epochs=1")


def command(script: str, *arguments: str, runs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments" / f"{script}.py"), *arguments],
        cwd=runs,
        env={**os.environ, "HIPREG_RUNS": str(runs), "HIPREG_CACHE": str(runs / "cache")},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def configuration(*named: str, **updates: Any) -> dict[str, Any]:
    """The configuration of a pretraining that is made but not started."""
    experiment = Experiment("configs", save_git_info=False)
    add_pretraining_configs(experiment)
    experiment.main(lambda: None)
    run = experiment._create_run(named_configs=list(named), config_updates=updates)
    return dict(run.config)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIPREG_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of runs after one pretraining on shapes."""
    runs = tmp_path_factory.mktemp("runs")
    done = command("pretrain", "with", "synth", *SMALL, "batch_size=2", runs=runs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "loss on the selection pairs" in done.stdout + done.stderr
    return runs


def test_a_pretraining_leaves_weights_curves_a_panel_and_its_record(pretrained: Path) -> None:
    folder = pretrained / "1"
    record = read_record(folder)
    assert (record.status, record.document["experiment"]["name"]) == ("COMPLETED", "pretrain")
    assert record.config["name"] == "pretrain debug synth"
    left = {path.name for path in (folder / "artifacts").iterdir()}
    assert left >= {"pretrained.pt", "best.pt", "last.pt", "curves.png", "panel.png"}
    metrics = read_metrics(folder / "metrics.jsonl")
    losses = [value for _, value in metrics["selection/loss"]]
    assert record.document["result"] == pytest.approx(min(losses))
    assert "selection/dice" in metrics
    assert not any(name.startswith("val/") for name in metrics)
    weights = load_checkpoint(folder / "artifacts" / "pretrained.pt")
    assert not weights.training
    assert weights.metadata["selection/loss"] == pytest.approx(min(losses))


def test_the_training_of_the_same_words_starts_from_it_and_says_so(pretrained: Path) -> None:
    done = command("train", "with", "pretrain", "synthetic", *SMALL, runs=pretrained)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert f"Started from {pretrained / '1' / 'artifacts' / 'pretrained.pt'}" in output
    started = read_record(pretrained / "2").document["started_from"]
    assert started["weights"] == str(pretrained / "1" / "artifacts" / "pretrained.pt")
    assert started["skipped"] == []


@pytest.mark.slow
def test_a_finished_pretraining_is_extended_by_its_own_command(pretrained: Path) -> None:
    done = command("pretrain", "resume", "1", "with", "epochs=2", runs=pretrained)
    assert done.returncode == 0, done.stdout + done.stderr
    newest = max(int(path.name) for path in pretrained.iterdir() if path.name.isdecimal())
    assert read_record(pretrained / str(newest)).parent == 1
    assert (pretrained / str(newest) / "artifacts" / "pretrained.pt").is_file()


@pytest.mark.slow
def test_a_stopped_pretraining_goes_on_as_if_it_was_not(tmp_path: Path) -> None:
    words = ("with", "synth", *SMALL[:-1], "batch_size=2", "epochs=3", "save_every=1")
    whole = command("pretrain", *words, runs=tmp_path)
    assert whole.returncode == 0, whole.stderr
    command("pretrain", *words, "max_minutes=1e-6", runs=tmp_path)
    last = tmp_path / "2" / "artifacts" / "last.pt"
    assert load_checkpoint(last).metadata["epoch"] == 1
    command("pretrain", *words, f"resume_from={last}", runs=tmp_path)
    first, again = (
        load_checkpoint(tmp_path / run / "artifacts" / "pretrained.pt").weights
        for run in ("1", "3")
    )
    assert all(torch.equal(first[name], again[name]) for name in first)


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four heads in different orientations."""
    folder = tmp_path_factory.mktemp("heads")
    for number, axes in enumerate(("RAS", "LIA", "PSR", "LPS")):
        affine, shape = coarse_affine(axes, (3.0, 3.0, 3.0))
        name = f"head_{number}" + (".mgz" if number % 2 else ".nii.gz")
        write_head(folder / name, affine, shape, shift=(number, -number, 0))
    return folder


@pytest.mark.slow
def test_a_folder_of_brains_is_pretrained_on_without_labels(heads: Path, tmp_path: Path) -> None:
    done = command(
        "pretrain", "with", "folder", f"data_dir={heads}", *SMALL, "max_cases=2", runs=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = read_metrics(tmp_path / "1" / "metrics.jsonl")
    assert {"selection/loss/lcc", "selection/sdlogj", "selection/folding"} <= set(metrics)
    assert not any("dice" in name or "hd95" in name for name in metrics)
    assert (tmp_path / "1" / "artifacts" / "panel.png").is_file()
    listed = (tmp_path / "1" / "artifacts" / "subjects.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in listed[1:]].count("train") == 2


def test_brains_are_paired_by_side_and_split_by_subject(heads: Path, tmp_path: Path) -> None:
    cases = load_pretraining(configuration("folder", data_dir=str(heads)), CPU)
    bank: Any = cases.fit
    assert len(bank) == 4
    assert bank.groups == (0, 1, 0, 1)
    assert not {(case - 1) // 2 for case in bank.cases} & {
        (case - 1) // 2 for pair in cases.pairs["selection"] for case in pair
    }
    listed = tmp_path / "subjects.csv"
    listed.write_text("subject,split\nhead_0,train\nhead_1,train\nhead_2,val\nhead_3,val\n")
    chosen = load_pretraining(
        configuration("folder", data_dir=str(heads), subjects=str(listed)), CPU
    )
    assert chosen.fit.cases == (1, 2, 3, 4)  # type: ignore[attr-defined]


def test_the_training_images_come_without_labels_and_without_validation_cases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = synthetic_cohort(replace(describe("synthetic"), size=(16, 16, 16)), n=108, seed=0)
    monkeypatch.setattr("experiments.pretrain_cases.load_cohort", lambda name, data_dir: small)
    cases = load_pretraining(configuration("self", "synthetic"), CPU)
    bank: Any = cases.fit
    splits = splits_for(describe("synthetic"))
    assert set(bank.cases) == set(splits.fit)
    assert not set(cases.cohort.cases) & set(splits.val)
    assert set(cases.held.cases) <= set(splits.train)
    assert cases.labels == ()
    assert not bank.labels.any()
    assert not cases.held.labels.any()


@pytest.mark.parametrize("source", SOURCE_CONFIGS)
def test_only_shapes_have_labels_to_learn_from(source: str) -> None:
    for words in ((source, "quick"), ("quick", source), (source,)):
        config = configuration(*words, dataset="synthetic")
        assert (config["weight_dice"] > 0) == (source == "synth")
    assert config["name"] == f"pretrain {source}"


def test_dice_without_labels_is_refused() -> None:
    with pytest.raises(ValueError, match="no labels"):
        Objective({"lcc": 1.0, "dice": 1.0}, labels=())


def test_every_entry_is_explained_in_one_line() -> None:
    explained(pretraining)


@pytest.mark.parametrize(
    ("named", "updates", "error", "message"),
    [
        ((), {}, ValueError, "needs to know on what"),
        (("folder",), {}, DataNotFoundError, "data_dir=FOLDER"),
        (("oasis3",), {"data_dir": "/nowhere"}, DataNotFoundError, "mri/orig.mgz"),
        (("self",), {"dataset": "synthetic", "merge_train_val": True}, ValueError, "validation"),
        (("synth",), {"same_contrast": 2.0}, ValueError, "between 0 and 1"),
    ],
)
def test_what_cannot_be_pretrained_on_is_said_at_once(
    named: tuple[str, ...], updates: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        load_pretraining(configuration(*named, **updates), CPU)


@pytest.mark.parametrize(
    ("updates", "message"),
    [
        ({"places": "ears"}, "places must be"),
        ({"places": 0}, "places must be"),
        ({"held_out": 1.5}, "between 0 and 1"),
        ({"pattern": "head_0*"}, "at least 2"),
        ({"subjects": "no.csv"}, "cannot be read"),
        ({"max_cases": 1}, "2 subjects to pair"),
    ],
)
def test_wrong_entries_for_brains_are_named(
    heads: Path, updates: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        load_pretraining(configuration("folder", data_dir=str(heads), **updates), CPU)


def test_an_unreadable_brain_is_named(heads: Path, tmp_path: Path) -> None:
    for path in heads.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken\.nii\.gz"):
        load_pretraining(configuration("folder", data_dir=str(tmp_path)), CPU)


SHAPE = Architecture(channel_multiplication=0.5, pool_blocks=2)


def leave(runs: Path, number: int, shape: Architecture, status: str | None) -> Path:
    """Weights of a pretraining run; without a record where the status is None."""
    folder = runs / str(number) / "artifacts"
    save_checkpoint(folder / "best.pt", Checkpoint(shape, build(shape).state_dict()))
    leave_pretrained(folder)
    os.utime(folder / "pretrained.pt", (number, number))
    if status is not None:
        write_json(
            folder.parent / "run.json",
            {"format": 1, "_id": number, "experiment": {"name": "pretrain"}, "status": status},
        )
        write_json(folder.parent / "config.json", {})
    return folder / "pretrained.pt"


def test_unfinished_damaged_and_other_pretrainings_are_passed_over(tmp_path: Path) -> None:
    wanted = leave(tmp_path, 1, SHAPE, "COMPLETED")
    leave(tmp_path, 2, SHAPE, "RUNNING")
    leave(tmp_path, 3, SHAPE, "PRUNED")
    leave(tmp_path, 4, Architecture(pool_blocks=2, channel_multiplication=1), "COMPLETED")
    strided = Architecture(pool_blocks=2, channel_multiplication=0.5, input_stride=2)
    leave(tmp_path, 5, strided, "COMPLETED")
    leave(tmp_path, 6, SHAPE, "COMPLETED").write_bytes(b"broken")
    assert starting_weights("pretrained", SHAPE, tmp_path) == wanted
    newer = leave(tmp_path, 7, SHAPE, None)
    assert starting_weights("pretrained", SHAPE, tmp_path) == newer
    assert starting_weights("1", SHAPE, tmp_path) == wanted
    assert starting_weights(str(tmp_path / "1"), SHAPE, tmp_path) == wanted


def test_deep_supervision_may_differ_between_pretraining_and_training(tmp_path: Path) -> None:
    wanted = leave(tmp_path, 1, SHAPE, None)
    without = Architecture(channel_multiplication=0.5, pool_blocks=2, deep_supervision=False)
    assert starting_weights("pretrained", without, tmp_path) == wanted


def test_a_run_is_resumed_by_the_command_of_its_own_experiment(tmp_path: Path) -> None:
    leave(tmp_path, 1, SHAPE, "INTERRUPTED")
    with pytest.raises(ResumeError, match=r"experiments/pretrain\.py resume 1"):
        command_line(["resume", "1"], tmp_path)
    words = command_line(["resume", "1"], tmp_path, experiment="pretrain")
    assert f"resume_from={tmp_path / '1'}" in words


def test_a_run_without_pretrained_weights_is_refused(tmp_path: Path) -> None:
    leave(tmp_path, 1, SHAPE, None).unlink()
    with pytest.raises(CheckpointError, match="no finished pretraining"):
        starting_weights("1", SHAPE, tmp_path)
    with pytest.raises(CheckpointError, match=r"pretrain\.py with quick synth"):
        starting_weights("pretrained", SHAPE, tmp_path)
