"""The whole comparison in portions: broken off, gone on with, and finished."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments import full_width
from experiments.full_width import Campaign, Stage, main, stages
from experiments.records import read_record
from experiments.run_folder import run_ids
from experiments.words import run_command

TINY = (
    *("debug", "dataset=synthetic_small", "crop_size=32", "pool_blocks=2"),
    *("threads=1", "save_every=1", "eval_every=1000"),
)
QUICKLY = Stage("quickly", ("-c", "print('done')"))
FAILING = Stage("failing", ("-c", "raise SystemExit('no')"))


def test_stages_are_done_in_order_and_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = Stage("again", QUICKLY.program)
    assert Campaign.at(tmp_path, ()).go([QUICKLY], 60)
    assert Campaign.at(tmp_path, ()).go([QUICKLY, again], 60)
    assert capsys.readouterr().out.splitlines() == ["quickly: begun", "again: begun"]
    assert json.loads((tmp_path / "stages.json").read_text())["done"] == ["quickly", "again"]
    assert (tmp_path / "quickly.log").read_text() == "done\n"


def test_a_failed_stage_names_its_log_and_ends_the_portion(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"failing failed: see .*failing\.log"):
        Campaign.at(tmp_path, ()).go([FAILING, QUICKLY], 60)
    assert not (tmp_path / "stages.json").exists()


def test_portions_of_one_comparison_are_told_the_same_words(tmp_path: Path) -> None:
    assert Campaign.at(tmp_path, ["device=cuda"]).go([QUICKLY], 60)
    with pytest.raises(ValueError, match="begun with the words"):
        Campaign.at(tmp_path, ["device=cpu"])


def test_unknown_stages_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(main, ["--out", str(tmp_path), "--only", "sim"]) == 1
    assert "no stage sim; there are benchmark, pretraining, baseline, sym" in (
        capsys.readouterr().err
    )


def test_pretraining_comes_before_what_starts_from_it() -> None:
    names = [stage.name for stage in stages(600, ())]
    assert names.index("pretraining") < names.index("sym pretrain")
    assert names.index("segmentation") < names.index("best")


@pytest.mark.slow
def test_a_training_broken_off_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = Stage("baseline", ("experiments/train.py",), ("epochs=150",))
    monkeypatch.setattr(full_width, "stages", lambda epochs, benchmark: [train, QUICKLY])
    words = ["--out", str(tmp_path), "--minutes", "0.3", "with", *TINY]
    statuses = [main(words)]
    while statuses[-1] == full_width.UNFINISHED and len(statuses) < 20:
        statuses.append(main(words))
    assert statuses[0] == full_width.UNFINISHED
    assert statuses[-1] == 0
    newest = run_ids(tmp_path / "runs")[-1]
    last = read_record(tmp_path / "runs" / str(newest))
    assert last.lineage == tuple(range(1, newest + 1))
    assert list(last.stitched()["train/loss"].steps) == list(range(1, 151))
