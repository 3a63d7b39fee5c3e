"""Peers are registered, measured and recorded pair by pair, and go on where they were stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.peers import programs
from experiments.peers.command import drawn, images_of, main, settings_of, told
from experiments.peers.methods import of_model, on_grid
from experiments.peers.record import read_record
from experiments.plain import plain
from experiments.prediction import pairs_of, predictions
from experiments.trained import trained_model
from experiments.words import run_command
from hipreg.data import CasePair, Cohort, load_cohort
from hipreg.data.description import describe
from hipreg.evaluation import read_rows
from hipreg.prediction import Refinement
from tests.helpers import smooth_images

SMALL = ["--dataset", "synthetic_small", "--threads", "1"]


def run(out: Path, *words: str) -> int:
    return run_command(main, [*SMALL, *words, "--out", str(out)])


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one error line."""
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    return line


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs of no registration and of demons; then a third of the former, in another call."""
    out = tmp_path_factory.mktemp("peers")
    words = ["identity", "demons", "--set", "demons.iterations=(5, 3, 2)"]
    assert run(out, *words, "--pairs", "2") == 0
    table = out / "identity.csv"
    first, before = table.read_text(), read_record(out / "identity.json")
    # What a kill between the two files of a pair leaves.
    table.write_text("".join(first.splitlines(keepends=True)[:-2]))
    left = read_record(out / "identity.json")
    assert (len(before.done), len(left.done)) == (2, 1)
    assert run(out, "identity", "--pairs", "3") == 0
    after = read_record(out / "identity.json")
    assert before.done < after.done
    assert set(before.rows) < set(after.rows)
    # What was done was not registered again: its time is that of the first call.
    assert {pair: after.seconds[pair] for pair in left.seconds} == left.seconds
    return out


def test_metrics_are_recorded_with_all_that_they_hang_on(done: Path) -> None:
    about = json.loads((done / "demons.json").read_text())
    cohort = load_cohort("synthetic_small")
    assert about["data"] == {
        "dataset": "synthetic_small",
        "fingerprint": cohort.fingerprint,
        "split": "val",
    }
    usual = programs.PEERS["demons"].settings
    assert about["settings"] == plain({**usual, "iterations": (5, 3, 2)})
    assert about["threads"] == 1
    assert about["versions"]["simpleitk"]
    assert [command.split(" --out")[0] for command in about["commands"]] == about["commands"]
    assert str(done) not in (done / "demons.json").read_text()
    rows = read_rows(done / "demons.csv")
    assert {CasePair(row.fixed, row.moving) for row in rows} <= set(pairs_of(cohort, "val"))
    assert all(row.sdlogj > 0 for row in rows)
    assert all(row.sdlogj == 0 for row in read_rows(done / "identity.csv"))
    better = [
        np.mean([row.dice for row in read_rows(done / f"{name}.csv")])
        for name in ("identity", "demons")
    ]
    assert better[1] > better[0]
    assert "SimpleITK demons" in (done / "peers.md").read_text()


def test_other_settings_are_refused_by_name(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (done / "demons.csv").read_bytes()
    assert run(done, "demons", "--set", "demons.field_sigma=9") == 1
    message = said(capsys)
    assert "settings.field_sigma" in message
    assert "9 asked for" in message
    assert "settings.iterations [5, 3, 2] there" in message
    assert "another --out" in message
    assert run(done, "identity", "--images", "whole", "--split", "selection") == 1
    assert "data.split 'val' there, 'selection' asked for" in said(capsys)
    assert (done / "demons.csv").read_bytes() == before


def test_damaged_record_is_said(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "identity.json").write_text((done / "identity.json").read_text()[:-20])
    assert run(tmp_path, "identity") == 1
    assert "identity.json: no readable record of registered pairs" in said(capsys)


def test_missing_program_is_said_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = replace(programs.PEERS["elastix"], module="no_such_program.inside")
    monkeypatch.setitem(programs.PEERS, "elastix", gone)
    out = tmp_path / "out"
    assert run(out, "identity", "elastix") == 1
    message = said(capsys)
    assert "not installed: elastix" in message
    assert "pip install" in message
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["elastics"], "no peer elastics; there are identity, demons"),
        (["identity", "--pairs", "0"], "--pairs is 1 to"),
        (["identity", "--set", "demons.iterations=3"], "'demons' is none of identity"),
        (["identity", "--set", "identity.strength=3"], "identity has no setting strength"),
        (["identity", "--threads", "0"], "--threads is at least 1, got 0"),
        (["identity", "--set", "strength=3"], "--set takes NAME.KEY=VALUE"),
        (["identity", "--model", "nobody"], "no model 'nobody'"),
    ],
)
def test_wrong_words_are_said_in_one_line(
    words: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "out", *words) == 1
    assert expected in said(capsys)
    assert not list(tmp_path.rglob("*.json"))


def test_values_of_settings_are_numbers_tuples_or_words() -> None:
    words = ["ants.metric=mattes", "ants.step=0.1", "ants.iterations=(4, 2)"]
    assert settings_of(words, ["ants"]) == {
        "ants": {"metric": "mattes", "step": 0.1, "iterations": (4, 2)}
    }


def test_fewer_pairs_are_among_more() -> None:
    pairs = [CasePair(i, i + 1) for i in range(60)]
    few, more = (set(drawn(pairs, count, 0)) for count in (12, 20))
    assert few < more < set(pairs)
    assert drawn(pairs, None, 0) == drawn(pairs, 60, 0) == pairs
    assert drawn(pairs, 12, 1) != drawn(pairs, 12, 0)


def test_told_command_holds_no_folder() -> None:
    words = ["ants", "--out", "/home/me/x", "--pairs", "3", "--data-dir=/home/me/data", "--seed=1"]
    assert told(words) == "python -m experiments.peers ants --pairs 3 --seed=1"
    for model in (["--model", "/home/me/runs/7"], ["--model=/home/me/runs/7"]):
        assert told(model).split("peers ")[1] == " ".join(model).replace("/home/me/runs/", "")


def test_our_model_gives_what_predict_gives() -> None:
    images = smooth_images(2, size=(64, 64, 64))[:, 0].numpy()
    labels = np.zeros(images.shape, dtype=np.uint8)
    cohort = Cohort.of_volumes(describe("hippocampus"), images, labels)
    pair = CasePair(fixed=2, moving=1)
    method = of_model("sym", lambda model: Refinement(), "cpu")
    assert (method.kind, method.labels, method.size) == ("model", "training", (48, 64, 48))
    found = method.load(1)(*images_of(pair, cohort, method.size))
    model = trained_model("sym").model
    ((_, wanted),) = predictions(model, cohort, [pair], Refinement(), torch.device("cpu"))
    assert np.abs(wanted).max() > 0.5
    np.testing.assert_allclose(on_grid(found, cohort.size), wanted, atol=1e-4)
