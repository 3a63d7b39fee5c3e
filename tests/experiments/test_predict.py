"""Prediction, submission, evaluation and publication from the command line."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import nibabel
import numpy as np
import pytest

from experiments import evaluate, predict, publish, submission
from experiments.prediction import pairs_of
from experiments.table import metrics_table
from experiments.trained import trained_model
from experiments.words import run_command
from hipreg.data import CasePair, load_cohort
from hipreg.evaluation import aggregate, read_rows
from hipreg.models import Checkpoint, save_checkpoint
from tests.helpers import TINY
from tests.prediction.helpers import label_of, moving_net, smooth_scan, world

CONFIG = {
    "name": "tiny",
    "dataset": "synthetic",
    "data_dir": "/home/somebody/data",
    "resume_from": None,
    "init_from": "/home/somebody/pretrained.pt",
    "crop_size": [32, 32, 32],
    "val_crop_size": None,
    "symmetric": True,
    "lcc_window": 5,
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a finished run on synthetic pairs, its number 7."""
    monkeypatch.setenv("HIPREG_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("HIPREG_MODELS", str(tmp_path / "models"))
    folder = tmp_path / "runs" / "7"
    metadata = {"dataset": "synthetic", "name": "tiny"}
    checkpoint = Checkpoint(TINY, moving_net().state_dict(), metadata)
    save_checkpoint(folder / "artifacts" / "best.pt", checkpoint)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    document = {"status": "COMPLETED", "git": {"commit": "abc", "dirty": False}, "host": {}}
    (folder / "run.json").write_text(json.dumps(document))
    (folder / "info.json").write_text(json.dumps({"data": {"fingerprint": "f00"}}))
    rows = "fixed,moving,label,dice,hd95,sdlogj,sdlogj_2020,folding\n1,2,1,0.8,1.5,0.1,0.02,0.0\n"
    for name in ("val", "unregistered"):
        (folder / "artifacts" / f"pairs_{name}.csv").write_text(rows)
    return folder


def said(command: Sequence[str], capsys: pytest.CaptureFixture[str], main=predict.main) -> str:
    """The one error line of a command that fails."""
    assert run_command(main, command) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    return line


def test_run_is_found_by_number_folder_and_file(run: Path) -> None:
    for source in ("7", str(run), str(run / "artifacts" / "best.pt")):
        found = trained_model(source)
        assert found.run == run
        assert (found.model.size, found.model.symmetric) == ((32, 32, 32), True)
        assert found.model.lcc_window == 5


def test_missing_runs_and_weights_are_said(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rest = ["split=val", "--out", str(tmp_path / "out")]
    assert "no run 9 in" in said(["with", "run=9", *rest], capsys)
    assert "no model 'nobody'" in said(["with", "run=nobody", *rest], capsys)
    assert "no run's folder" in said(["with", f"run={tmp_path}", *rest], capsys)
    (run / "artifacts" / "best.pt").write_bytes(b"PK truncated")
    assert "truncated, or written by another program" in said(["with", "run=7", *rest], capsys)
    (run / "artifacts" / "best.pt").unlink()
    assert "it left no weights" in said(["with", "run=7", *rest], capsys)
    assert not (tmp_path / "out").exists()


def test_split_that_the_data_lacks_is_said_in_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = said(["with", "run=7", "split=test", "--out", str(tmp_path / "out")], capsys)
    assert "the test pairs of Synthetic" in message
    assert "there are no such pairs" in message
    assert not (tmp_path / "out").exists()


def test_command_says_what_it_needs(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "say what to register" in said(["with", "run=7", "--out", "x"], capsys)
    both = ["with", "run=7", "split=val", "--pairs", "a.csv", "--out", "x"]
    assert "say what to register" in said(both, capsys)
    alone = ["with", "run=7", "--moving", "a", "--fixed", "b", "--drawn", "3", "--out", "x"]
    assert "as in split=val" in said(alone, capsys)


def test_drawn_pairs_are_of_all_ordered_pairs_and_always_the_same(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = load_cohort("synthetic")
    everything = pairs_of(cohort, "val", drawn=0)
    cases = {case for pair in pairs_of(cohort, "val") for case in pair}
    assert len(everything) == len(set(everything)) == len(cases) * (len(cases) - 1)
    some = pairs_of(cohort, "val", drawn=20)
    assert set(some) < set(everything)
    assert some == pairs_of(cohort, "val", drawn=20)
    out = tmp_path / "out"
    words = ["with", "run=7", "split=val", "--threads", "1"]
    assert predict.main([*words, "--drawn", "3", "--out", str(out)]) == 0
    rows = read_rows(out / "pairs_val.csv")
    found = {CasePair(row.fixed, row.moving) for row in rows}
    assert found == set(pairs_of(cohort, "val", drawn=3))
    too_many = [*words, "--drawn", "9999", "--out", str(tmp_path / "other")]
    assert "ordered pairs, and 9999 were asked for" in said(too_many, capsys)


def test_existing_results_are_never_overwritten_without_the_flag(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert "nothing was overwritten" in said(
        ["with", "run=7", "split=val", "--out", str(out)], capsys
    )
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_split_is_registered_measured_and_written(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    flags = ["--save-submission", "--save-deformed", "--save-grid", "--threads", "1"]
    assert predict.main(["with", "run=7", "split=val", "--out", str(out), *flags]) == 0
    rows = read_rows(out / "pairs_val.csv")
    pairs = {(row.fixed, row.moving) for row in rows}
    assert len(rows) == 2 * len(pairs) == 24
    fixed, moving = rows[0].fixed, rows[0].moving
    stem = f"{fixed:04d}_{moving:04d}"
    for folder, name in (
        ("submission/task_04", f"disp_{stem}.npz"),
        ("grid", f"grid_{stem}.npz"),
        ("deformed", f"image_{stem}.nii.gz"),
        ("deformed", f"label_{stem}.nii.gz"),
    ):
        assert (out / folder / name).is_file()
    with np.load(out / "submission" / "task_04" / f"disp_{stem}.npz") as content:
        displacement = content["arr_0"].astype(np.float64)
    with np.load(out / "grid" / f"grid_{stem}.npz") as content:
        positions = content["arr_0"]
    np.testing.assert_allclose(positions - np.indices((64, 64, 64)), displacement, atol=0.02)
    cohort = load_cohort("synthetic")
    label = nibabel.load(out / "deformed" / f"label_{stem}.nii.gz").get_fdata()
    fixed_label = cohort.labels[cohort.index(fixed)]
    overlap = 2 * ((label == 1) & (fixed_label == 1)).sum()
    wanted = overlap / ((label == 1).sum() + (fixed_label == 1).sum())
    assert rows[0].dice == pytest.approx(wanted, abs=1e-6)


def test_two_files_are_registered(run: Path, tmp_path: Path) -> None:
    moving = smooth_scan(tmp_path / "moving.nii.gz", world(angle=9.0), seed=2)
    fixed = smooth_scan(tmp_path / "fixed.nii.gz", world(), seed=1)
    files = ["--moving", str(moving), "--fixed", str(fixed)]
    labels = ["--moving-label", str(label_of(moving)), "--fixed-label", str(label_of(fixed))]
    command = ["with", "run=7", *files, *labels, "--out", str(tmp_path / "out"), "--threads", "1"]
    assert predict.main(command) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert set(metrics["labels"]) == {"1", "2"}
    assert nibabel.load(tmp_path / "out" / "warped.nii.gz").shape == (15, 17, 13)


def test_one_bad_pair_of_many_stops_no_other(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smooth_scan(tmp_path / "a.nii.gz", world(), seed=1)
    smooth_scan(tmp_path / "b.nii.gz", world(), seed=2)
    (tmp_path / "bad.nii.gz").write_bytes(b"bad")
    table = tmp_path / "pairs.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("moving", "fixed", "name"), ("bad.nii.gz", "b.nii.gz", "first")])
        writer.writerow(("a.nii.gz", "b.nii.gz", "second"))
    command = ["with", "run=7", "--pairs", str(table), "--out", str(tmp_path / "out")]
    assert run_command(predict.main, [*command, "--threads", "1"]) == 1
    captured = capsys.readouterr()
    assert "1 of 2 pairs registered" in captured.out
    assert "error: first: moving image" in captured.err
    assert (tmp_path / "out" / "second" / "panel.png").is_file()
    assert not (tmp_path / "out" / "first").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "got the columns"),
        ("moving,fixed\n,b.nii\n", "row 1: moving and fixed"),
        ("moving,fixed,name\na,b,x\na,b,x\n", "names twice"),
        ("moving,fixed,name\na,b,../x\n", "no name of a folder"),
        ("moving,fixed\n", "no pairs in it"),
    ],
)
def test_bad_lists_of_pairs_are_said(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tmp_path / "pairs.csv").write_text(text)
    command = ["with", "run=7", "--pairs", str(tmp_path / "pairs.csv")]
    assert message in said([*command, "--out", str(tmp_path / "out")], capsys)


def test_published_run_is_loaded_by_name_and_says_where_it_comes_from(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish.main(["7", "--name", "sym", "--dtype", "float16"]) == 0
    found = trained_model("sym")
    assert found.run is None
    card = found.model.card
    assert card["size"] == [32, 32, 32]
    assert card["architecture"] == {"kind": "vnet"} | {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(TINY).items()
    }
    assert card["run"]["id"] == 7
    assert card["metrics"]["val"]["dice"] == 0.8
    assert card["data"]["fingerprint"] == "f00"
    assert card["licence"] == "Apache-2.0"
    text = (tmp_path / "models" / "sym.md").read_text()
    for part in (card["sha256"], "0.8000", "Apache-2.0", "f00", "commit\n  `abc`"):
        assert part in text
    everything = text + (tmp_path / "models" / "sym.json").read_text()
    assert "/home/somebody" not in everything
    again = ["7", "--name", "sym"]
    assert "nothing was overwritten" in said(again, capsys, publish.main)
    assert publish.main([*again, "--overwrite"]) == 0


def test_unfinished_runs_are_not_published(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (run / "run.json").write_text('{"status": "RUNNING"}')
    message = said(["7", "--name", "sym"], capsys, publish.main)
    assert "only finished runs are published, this one is RUNNING" in message
    assert not (tmp_path / "models").exists()


def test_submission_of_other_data_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["with", "run=7", "--out", str(tmp_path / "submission.zip")]
    assert "trained on synthetic" in said(command, capsys, submission.main)
    assert not (tmp_path / "submission.zip").exists()
    assert "--out NAME.zip" in said(["with", "run=7"], capsys, submission.main)


def test_faults_of_a_submission_are_all_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "task_04").mkdir()
    (tmp_path / "task_04" / "disp_311_394.npz").write_bytes(b"")
    command = ["--check", str(tmp_path), "--hippocampus-only"]
    assert run_command(submission.main, command) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith("61 fault(s)")
    assert "task_04/disp_0311_0394.npz: missing" in lines[1]
    assert "misnamed" in lines[-1]


def test_check_sees_which_form_a_submission_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "disp_0201_0000_0260_0000.nii.gz").write_bytes(b"")
    for words, faults in (
        ([], "60 fault(s)"),
        (["form=2020", "--hippocampus-only"], "61 fault(s)"),
    ):
        assert run_command(submission.main, ["with", *words, "--check", str(tmp_path)]) == 1
        assert capsys.readouterr().err.splitlines()[0].endswith(faults)


def test_evaluation_refuses_what_it_would_overwrite(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fields").mkdir()
    (tmp_path / "fields_pairs.csv").write_text("mine")
    command = [str(tmp_path / "fields")]
    assert "nothing was overwritten" in said(command, capsys, evaluate.main)
    assert "no displacement fields" in said([*command, "--overwrite"], capsys, evaluate.main)
    assert (tmp_path / "fields_pairs.csv").read_text() == "mine"


@pytest.mark.real_data
def test_fields_of_a_folder_are_measured_with_the_real_labels(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fields = tmp_path / "zero"
    fields.mkdir()
    for name in ("disp_0311_0394", "disp_0314_0393"):
        np.savez_compressed(fields / f"{name}.npz", np.zeros((3, 64, 64, 64), np.float16))
    assert evaluate.main([str(fields), "--data-dir", str(real_data)]) == 0
    shown = capsys.readouterr().out
    assert "2 of the 60 of split val" in shown
    rows = read_rows(tmp_path / "zero_pairs.csv")
    assert metrics_table(aggregate(rows)) in shown
    with (tmp_path / "zero_pairs_aggregate.csv").open(newline="") as file:
        figures = {row["figure"]: float(row["value"]) for row in csv.DictReader(file)}
    assert figures["dice"] == pytest.approx(aggregate(rows)["dice"])
    assert math.isclose(figures["sdlogj"], 0, abs_tol=1e-9)
