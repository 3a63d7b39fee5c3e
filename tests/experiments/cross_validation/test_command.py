"""The command as a user gives it: planned, killed, gone on with, and finished."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from experiments import cases as registration
from experiments.cross_validation.command import main
from experiments.omniboard.process import only_one
from experiments.peers.record import read_record as read_pairs
from experiments.records import COMPLETED, RunRecord, read_records
from experiments.resume import experiment_of
from experiments.run_folder import ARTIFACTS
from experiments.segmentation import cases as segmentation
from experiments.words import run_command
from hipreg.models import load_checkpoint

ROOT = Path(__file__).resolve().parents[3]
WORDS = (
    *("with", "debug", "dataset=synthetic_small", "crop_size=32", "threads=1", "max_cases=8"),
    *("epochs=3", "save_every=1"),
)
WIDE = ("--segment", "wide=widths=[16,32]")
PATIENCE = 600.0


def run(out: Path, *options: str) -> int:
    return run_command(main, ["--folds", "2", "--out", str(out), *options, *WORDS])


def test_dry_run_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "out", "--dry-run", *WIDE) == 0
    assert "register segment wide, fold 1 of 2, 3 epochs: to do" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_two_calls_do_not_work_in_one_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with only_one(tmp_path / ".lock"):
        assert run(tmp_path) == 1
    assert "another call is at work there" in capsys.readouterr().err
    assert not (tmp_path / "plan.json").exists()


def start(out: Path) -> subprocess.Popen[str]:
    words = ["-m", "experiments.cross_validation", "--folds", "2", "--out", str(out), *WORDS]
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Killed in the first training and in the first measuring, stopped in the second fold."""
    out = tmp_path_factory.mktemp("cross")
    for moment, number in (
        (out / "runs" / "1" / ARTIFACTS / "last.pt", signal.SIGKILL),
        (out / "pairs" / "fold_0" / "steps_0.csv", signal.SIGKILL),
        (out / "cases" / "fold_1" / "debug.csv", signal.SIGTERM),
    ):
        process = start(out)
        until(moment, process)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    process = start(out)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert str(out) in said
    return out


def ended(out: Path) -> list[RunRecord]:
    return [record for record in read_records(out / "runs").runs if record.status == COMPLETED]


@pytest.mark.slow
def test_no_training_is_done_twice_and_no_epoch_is_lost(finished: Path) -> None:
    runs = ended(finished)
    assert sorted(record.config["name"] for record in runs) == [
        *(f"register debug, fold {k} of 2" for k in (0, 1)),
        *(f"segment debug, fold {k} of 2" for k in (0, 1)),
    ]
    for record in runs:
        assert list(record.stitched()["train/loss"].steps) == [1, 2, 3]


@pytest.mark.slow
def test_no_network_has_seen_the_cases_that_it_was_measured_on(finished: Path) -> None:
    load = {"segment": segmentation.load_cases, "train": registration.load_cases}
    for record in ended(finished):
        fold = finished / "pairs" / f"fold_{record.config['fold']}"
        measured = {
            case for path in fold.glob("*.json") for pair in read_pairs(path).done for case in pair
        }
        assert len(measured) == 4
        held = load[experiment_of(record)](dict(record.config), torch.device("cpu"))
        assert not measured & set(held.fit.cases)  # type: ignore[attr-defined]
        metadata = load_checkpoint(record.folder / ARTIFACTS / "best.pt").metadata
        assert measured == set(metadata["left_out"])
        assert metadata["epoch"] == 3


@pytest.mark.slow
def test_registration_is_guided_by_the_segmentation_without_its_fold(finished: Path) -> None:
    by_name = {record.config["name"]: record for record in ended(finished)}
    for fold in (0, 1):
        guide = by_name[f"segment debug, fold {fold} of 2"]
        assert by_name[f"register debug, fold {fold} of 2"].config["segmenter"] == guide.id


@pytest.mark.slow
def test_every_pair_is_measured_in_every_way_and_tables_are_there(finished: Path) -> None:
    for fold in ("fold_0", "fold_1"):
        records = [read_pairs(path) for path in (finished / "pairs" / fold).glob("*.json")]
        assert len(records) == 13
        assert len({frozenset(record.done) for record in records}) == 1
    table = (finished / "cross_validation.md").read_text()
    for name in ("zero start", "unregistered", "2 folds, 8 pairs", "label 2"):
        assert name in table
    assert str(finished) not in table
    assert {"choices.csv", "segmentations.csv"} <= {path.name for path in finished.iterdir()}


@pytest.mark.slow
def test_finished_one_does_nothing_more_and_takes_no_other_settings(
    finished: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (finished / "runs").rglob("*")}
    assert run(finished) == 0
    assert {path: path.stat().st_mtime_ns for path in (finished / "runs").rglob("*")} == before
    assert run_command(main, ["--folds", "2", "--out", str(finished), *WORDS, "seed=1"]) == 1
    assert "begun with other settings" in capfd.readouterr().err
