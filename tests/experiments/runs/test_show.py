"""The page on one run has all that is known of it, and finds the run that is meant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from experiments.process import this_process
from experiments.runs.origin import defaults, unusual
from tests.experiments.runs.made import Command, make_run, rising


def test_page_has_every_part(runs: Command) -> None:
    folder = make_run(
        runs.root,
        metrics=rising(10),
        config={"crop_size": "tight"},
        result=0.8,
        host={"hostname": "lab1", "cpu": "AMD EPYC", "cpu_count": 2, "gpus": []},
        dependencies={"torch": "2.9", "numpy": "2.4"},
        git={"commit": "b" * 40, "dirty": True, "diff_complete": True},
        meta={"options": {"UPDATE": ["quick", "crop_size=tight"], "COMMAND": None}},
        warnings=[{"time": "", "what": "artifact_event: no space left"}],
        nonfinite={"val/hd95": 2},
        degraded="the server is gone",
    )
    (folder / "artifacts" / "last.pt").write_bytes(b"x" * 1500)
    out = runs("show", "1").out
    for part in (
        "Run 1  sym",
        "COMPLETED",
        "epoch 10 of 10",
        "took 10 min",
        "python experiments/train.py with quick crop_size=tight",
        "lab1, AMD EPYC, 2 CPU cores, no GPU",
        "torch 2.9",
        "no space left",
        "val/hd95 2 times",
        "the server is gone",
        "last.pt  1.5 kB",
        "resume 1 with epochs=20",
        f"git checkout {'b' * 40}",
        f"git apply {folder / 'uncommitted.diff'}",
    ):
        assert part in out, part
    assert "\x1b" not in out


def test_entries_that_differ_from_the_defaults_come_first(runs: Command) -> None:
    make_run(runs.root, config={"epochs": 600, "seed": 3, "norm": "instance"})
    out = runs("show", "1").out
    assert ["seed", "3", "default", "0"] in runs("show", "1").rows()
    assert "norm" not in out
    rows = [row[0] for row in runs("show", "1", "--all").rows() if row]
    assert rows.index("seed") < rows.index("norm")


def test_defaults_are_those_of_the_base_configuration() -> None:
    from experiments.train import experiment

    run = experiment._create_run()
    base = dict(run.config)
    known = defaults()
    assert set(base) - set(known) == {"dataset", "name"}
    assert {key: base[key] for key in known} == known
    assert unusual(base)[0].keys() == {"dataset"}


def test_metrics_have_first_best_and_last(runs: Command) -> None:
    make_run(runs.root, metrics=[{"val/dice": 0.25}, {"val/dice": 0.75}, {"val/dice": 0.5}])
    assert ["val/dice", "0.2500", "0.7500", "2", "0.5000", "▁█▅"] in runs("show", "1").rows()


def test_metrics_of_a_lineage_are_one_curve(runs: Command) -> None:
    make_run(runs.root, metrics=[{"val/dice": 0.25}, {"val/dice": 0.99}], status="INTERRUPTED")
    metrics = [{"val/dice": 0.5}, {"val/dice": 0.75}]
    continued: dict[str, Any] = {"parent": 1, "lineage": [1, 2], "resumed_at_epoch": 1}
    make_run(runs.root, metrics=metrics, first_step=2, **continued)
    shown = runs("show", "2", "--json").json
    assert shown["metrics"]["val/dice"] == {
        "first": 0.25, "best": 0.75, "last": 0.75, "last_step": 3, "count": 3
    }  # fmt: skip
    assert "1 > 2, resumed after epoch 1" in runs("show", "2").out


def test_failure_shows_the_end_of_its_traceback(runs: Command) -> None:
    trace = [f"line {i}\n" for i in range(40)] + ["ValueError: no such case: 999\n"]
    make_run(runs.root, status="FAILED", fail_trace=trace)
    out = runs("show", "1").out
    assert "ValueError: no such case: 999" in out
    assert "29 lines before (--all)" in out
    assert "line 0" not in out
    assert "line 0" in runs("show", "1", "--all").out
    assert "no such case" in runs("list", "--columns", "id,error").out


def test_dead_run_says_why_and_what_to_do(runs: Command) -> None:
    gone = this_process() | {"pid": 2**22 + 1, "started": "0"}
    folder = make_run(runs.root, status="RUNNING", process=gone, metrics=rising(2))
    (folder / "artifacts" / "last.pt").touch()
    out = runs("show", "1").out
    assert f"DEAD: process {2**22 + 1}" in out
    assert f"experiments.runs -R {runs.root} reap" in out
    assert f"experiments.runs -R {runs.root} resume 1" in out


@pytest.mark.parametrize(
    "entry",
    [
        {"git": None},
        {"git": "text", "host": ["lab1"], "dependencies": 3, "died": "yes"},
        {"host": None, "dependencies": None},
        {"experiment": None, "meta": None},
        {"start_time": "soon", "stop_time": 3},
        {"lineage": None, "parent": "1"},
        {"lineage": [1, 1], "parent": 1},
        {"fail_trace": "one text"},
        {"warnings": ["text"], "nonfinite": None},
        {"result": {"dice": 0.5}},
        {"result": "NaN"},
    ],
    ids=str,
)
def test_odd_entries_of_a_document_are_shown_as_far_as_they_go(
    runs: Command, entry: dict[str, Any]
) -> None:
    make_run(runs.root, metrics=rising(2), **entry)
    assert runs("show", "1").status == 0
    assert runs("show", "1", "--json").json["id"] == 1
    assert runs("list").status == 0
    assert runs("list", "--json").json[0]["id"] == 1


def test_run_is_found_by_id_latest_folder_and_unique_name(
    runs: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(runs.root, config={"name": "baseline"})
    make_run(runs.root)
    make_run(runs.root, config={"name": "quick no_dice"})
    monkeypatch.chdir(runs.root)
    names = ("1", "baseline", str(runs.root / "1"), "./1", "../runs/1/")
    assert {runs("show", name, "--json").json["id"] for name in names} == {1}
    assert {runs("show", name, "--json").json["id"] for name in ("latest", "003")} == {3}
    monkeypatch.chdir(runs.root / "2")
    assert runs("show", ".", "--json").json["id"] == 2


def test_folder_that_is_not_named_by_a_number_is_one_clear_line(
    runs: Command, tmp_path: Path
) -> None:
    copy = make_run(runs.root).rename(tmp_path / "copy")
    shown = runs("show", str(copy))
    assert shown.status == 2
    assert "named by its number" in shown.err


def test_folder_outside_is_shown_with_its_own_lineage(runs: Command, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    make_run(elsewhere, metrics=[{"a": 1.0}])
    folder = make_run(elsewhere, parent=1, lineage=[1, 2], metrics=[{"a": 2.0}], first_step=2)
    make_run(runs.root, metrics=[{"a": 7.0}])
    assert runs("show", str(folder), "--json").json["metrics"]["a"]["first"] == 1.0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("12", "the nearest are 2, 3, 4"),
        ("basline", "did you mean baseline?"),
        ("sym", "2 runs are named 'sym': say which by its id, 2 or 3"),
        ("nothing-like-it", "a RUN is an id, 'latest', a folder or a unique name"),
        ("", "a RUN is an id"),
        ("..", "a RUN is an id"),
        ("4", "damaged: run.json is missing"),
        ("²", "a RUN is an id"),
        ("9" * 30, "the nearest are"),
    ],
)
def test_unknown_run_is_one_line_with_the_nearest(runs: Command, name: str, message: str) -> None:
    make_run(runs.root, config={"name": "baseline"})
    make_run(runs.root)
    make_run(runs.root)
    (runs.root / "4").mkdir()
    shown = runs("show", name)
    assert shown.status == 2
    assert message in shown.err


@pytest.mark.parametrize("subcommand", ["list", "show latest", "compare 1 2", "export --csv x"])
def test_no_runs_says_where_it_looked_and_how_to_make_one(
    runs: Command, subcommand: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # without the folder, and with an empty one
        shown = runs(*subcommand.split())
        assert shown.status == 2
        assert str(runs.root) in shown.err
        assert "python experiments/train.py" in shown.err
        runs.root.mkdir(exist_ok=True)
    assert os.listdir(tmp_path) == ["runs"]
