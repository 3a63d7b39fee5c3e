"""The training command as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.records import read_metrics
from experiments.series import Series
from hipreg.evaluation import aggregate, read_rows
from hipreg.models import Architecture, Checkpoint, build, load_checkpoint, save_checkpoint

ROOT = Path(__file__).resolve().parents[2]


def command(
    *arguments: str, runs: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Call ``python experiments/train.py`` from another folder, its runs in ``runs``."""
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments" / "train.py"), *arguments],
        cwd=runs,
        env={**os.environ, "HIPREG_RUNS": str(runs), **(environment or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


SMALL = ("with", "debug", "dataset=synthetic_small", "crop_size=32", "pool_blocks=2", "threads=1")


@dataclass(frozen=True)
class Finished:
    """A finished run of the command."""

    folder: Path
    output: str

    def document(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text())

    def metrics(self) -> dict[str, Series]:
        return read_metrics(self.folder / "metrics.jsonl")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    runs = tmp_path_factory.mktemp("runs")
    done = command(*SMALL, "symmetric=True", runs=runs)
    assert done.returncode == 0, done.stdout + done.stderr
    return Finished(runs / "1", done.stdout + done.stderr)


def test_run_is_recorded_as_completed_with_its_configuration(finished: Finished) -> None:
    assert finished.document("run.json")["status"] == "COMPLETED"
    config = finished.document("config.json")
    assert (config["dataset"], config["epochs"], config["symmetric"]) == (
        "synthetic_small",
        2,
        True,
    )
    data = finished.document("info.json")["data"]
    assert data["dataset"] == "synthetic_small"
    assert data["fingerprint"]


def test_every_epoch_has_every_number_once(finished: Finished) -> None:
    series = finished.metrics()
    figures = ("dice", "dice30", "hd95", "sdlogj", "sdlogj_2020", "folding", "dice/label_1")
    expected = {f"{split}/{name}" for split in ("train", "selection", "val") for name in figures}
    for split in ("train", "selection", "val"):
        expected.add(f"{split}/loss")
        for term in ("lcc", "dice", "l1"):
            expected |= {f"{split}/loss/{term}", f"{split}/weighted/{term}", f"weight/{term}"}
    expected |= {"lcc_window", "learning_rate", "pairs_per_second", "data_share"}
    assert expected <= set(series)
    for name in expected:
        assert [step for step, _ in series[name]] == [1, 2], name


def test_weighted_terms_add_up_to_the_loss(finished: Finished) -> None:
    series = finished.metrics()
    for split in ("train", "val"):
        parts = [series[f"{split}/weighted/{term}"][-1][1] for term in ("lcc", "dice", "l1")]
        assert sum(parts) == pytest.approx(series[f"{split}/loss"][-1][1], rel=1e-4)


def test_artifacts_hold_weights_metrics_of_every_pair_and_pictures(finished: Finished) -> None:
    folder = finished.folder / "artifacts"
    assert {path.name for path in folder.iterdir()} == {
        "best.pt",
        "last.pt",
        "pairs_val.csv",
        "pairs_unregistered.csv",
        "history.csv",
        "curves.png",
        "panel.png",
    }
    rows = read_rows(folder / "pairs_val.csv")
    assert len(rows) == 6 * 2
    best = load_checkpoint(folder / "best.pt")
    epoch = int(best.metadata["epoch"])
    logged = dict(finished.metrics()["val/dice"])[epoch]
    assert aggregate(rows)["dice"] == pytest.approx(logged, abs=1e-6)
    assert best.metadata["run"] == 1


def test_output_ends_by_saying_where_everything_is(finished: Finished) -> None:
    assert str(finished.folder / "artifacts") in finished.output
    assert "Dice30" in finished.output


@pytest.mark.slow  # test_resume.py has the same law by default, on one training
def test_same_command_gives_the_same_weights_and_resuming_too(tmp_path: Path) -> None:
    small = (*SMALL, "epochs=3", "save_every=1", "eval_every=3")
    whole = command(*small, runs=tmp_path)
    assert whole.returncode == 0, whole.stderr
    short = command(*small, "max_minutes=1e-6", runs=tmp_path)
    assert "Stopped by max_minutes" in short.stdout + short.stderr
    last = tmp_path / "2" / "artifacts" / "last.pt"
    assert load_checkpoint(last).metadata["epoch"] == 1
    resumed = command(*small, f"resume_from={last}", runs=tmp_path)
    assert "Resumed after epoch 1" in resumed.stdout + resumed.stderr
    first, again = (
        load_checkpoint(tmp_path / run / "artifacts" / "last.pt").weights for run in ("1", "3")
    )
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_resuming_another_network_is_refused(tmp_path: Path, finished: Finished) -> None:
    last = finished.folder / "artifacts" / "last.pt"
    done = command(*SMALL, "channel_multiplication=1", f"resume_from={last}", runs=tmp_path)
    assert done.returncode != 0
    assert "resume with the configuration" in done.stdout + done.stderr


def test_resuming_extends_a_finished_training_and_never_loses_its_best_weights(
    tmp_path: Path, finished: Finished
) -> None:
    last = finished.folder / "artifacts" / "last.pt"
    resumed = (*SMALL, "symmetric=True", f"resume_from={last}")
    refused = command(*resumed, runs=tmp_path)
    assert refused.returncode != 0
    assert "raise epochs to go on" in refused.stdout + refused.stderr
    # Without a learning rate nothing can get better than before.
    done = command(*resumed, "epochs=3", "learning_rate=0", runs=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    before, after = (
        load_checkpoint(folder / "artifacts" / "best.pt").metadata["selection/dice"]
        for folder in (finished.folder, tmp_path / "2")
    )
    assert after >= before


def test_pretraining_that_is_missing_says_how_to_get_it(tmp_path: Path) -> None:
    done = command(*SMALL, "init_from=pretrained", runs=tmp_path)
    assert done.returncode != 0
    assert "no pretrained weights" in done.stdout + done.stderr
    assert "init_from=PATH" in done.stdout + done.stderr


def test_newest_fitting_pretrained_weights_are_used_and_named(tmp_path: Path) -> None:
    wanted = Architecture(channel_multiplication=0.5, pool_blocks=2)
    other = Architecture(channel_multiplication=1, pool_blocks=2)
    for number, shape in enumerate((wanted, other), start=1):
        save_checkpoint(
            tmp_path / f"{number}" / "artifacts" / "pretrained.pt",
            Checkpoint(shape, build(shape, seed=5).state_dict()),
        )
    (tmp_path / "elsewhere").mkdir()
    done = command(
        "-R", str(tmp_path), *SMALL, "epochs=1", "pretrain", runs=tmp_path / "elsewhere"
    )
    assert done.returncode == 0, done.stderr
    output = done.stdout + done.stderr
    assert str(tmp_path / "1" / "artifacts" / "pretrained.pt") in output


def test_missing_data_stop_the_run_with_what_to_do(tmp_path: Path) -> None:
    done = command("with", "debug", runs=tmp_path, environment={"HIPREG_DATA": str(tmp_path)})
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in output
    assert "medicaldecathlon.com" in output
    assert "with synthetic" in output


@pytest.mark.parametrize("wrong", ["no_such_key=1", "lcc_window=8", "weight_lcc=-1"])
def test_wrong_settings_stop_before_any_training(tmp_path: Path, wrong: str) -> None:
    done = command(*SMALL, wrong, runs=tmp_path)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(tmp_path.glob("*/artifacts/*.pt"))


@pytest.mark.parametrize("named", [("mse",), ("no_dice",), ("l2", "no_deep_supervision")])
def test_switches_of_the_ablation_train(tmp_path: Path, named: tuple[str, ...]) -> None:
    done = command(*SMALL, *named, "epochs=1", "max_cases=4", runs=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_module_form_prints_the_explained_configuration(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "experiments.train", "print_config", "with", "sym"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "side of its window in voxels" in done.stdout
