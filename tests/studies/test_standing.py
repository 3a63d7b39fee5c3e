"""Which recorded run stands for a cell of an ablation, and why another one does not."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.process import this_process
from experiments.records import read_records
from experiments.run_folder import create_run_folder, write_json
from hipreg.evaluation import DEFINITIONS
from studies.cells import Cell, row_options
from studies.code import training_code
from studies.standing import RESUME, TAKE, TRAIN, WAIT, Present, Standing, standing

CODE = {"hipreg/a.py": "1", "hipreg/b.py": "2"}
NOW = Present(CODE, {("synthetic", None): "synthetic f00d"})
CONFIG = {
    "name": "sym",
    "seed": 1,
    "epochs": 4,
    "weight_lcc": 1.0,
    "dataset": "synthetic",
    "data_dir": None,
    "threads": None,
    "resume_from": None,
}
CELL = Cell("sym", 1, ("sym", "seed=1"), CONFIG, frozenset(), None)


def write(
    root: Path,
    status: str = "COMPLETED",
    *,
    config: dict[str, Any] | None = None,
    code: dict[str, str] | None = None,
    data: str = "f00d",
    **entries: Any,
) -> int:
    """Record a run of the cell, with what differs."""
    run_id, folder = create_run_folder(root)
    document = {"status": status, "start_time": "2026-01-02T03:04:05+00:00", **entries}
    write_json(folder / "run.json", document)
    write_json(folder / "config.json", {**CONFIG, **(config or {})})
    write_json(folder / "sources.json", CODE if code is None else code)
    about = {"data": {"dataset": "synthetic", "fingerprint": data}}
    write_json(folder / "info.json", {**about, "metric_definitions": DEFINITIONS})
    return run_id


def found(root: Path, cell: Cell = CELL, now: Present = NOW) -> Standing:
    return standing(cell, read_records(root).runs, now)


def test_nothing_recorded_is_trained(tmp_path: Path) -> None:
    assert found(tmp_path) == Standing(TRAIN, None, "nothing recorded")


def test_newest_equal_run_stands_for_the_cell(tmp_path: Path) -> None:
    write(tmp_path)
    second = write(tmp_path, config={"threads": 3, "data_dir": "/elsewhere", "trial": 7})
    write(tmp_path, config={"seed": 2})
    result = found(tmp_path)
    assert (result.do, result.run and result.run.id) == (TAKE, second)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"config": {"weight_lcc": 2.0}}, "run 1 has weight_lcc=2.0"),
        ({"config": {"epochs": 5}}, "run 1 has epochs=5"),
        ({"config": {"new": True}}, "run 1 has new=true"),
        ({"code": {**CODE, "hipreg/b.py": "3"}}, "run 1: other code: hipreg/b.py"),
        ({"code": {"hipreg/a.py": "1"}}, "run 1: other code: hipreg/b.py"),
        ({"data": "beef"}, "run 1: other data (synthetic beef)"),
        ({"status": "FAILED"}, "run 1 ended as FAILED"),
        ({"status": "PRUNED"}, "run 1 ended as PRUNED"),
        ({"status": "INTERRUPTED", "data": "beef"}, "run 1: other data (synthetic beef)"),
    ],
)
def test_other_run_is_not_taken_and_the_reason_is_said(
    tmp_path: Path, options: dict[str, Any], why: str
) -> None:
    write(tmp_path, **options)
    assert found(tmp_path) == Standing(TRAIN, None, why)


def test_other_code_is_taken_where_that_is_welcome(tmp_path: Path) -> None:
    write(tmp_path, code={"hipreg/a.py": "0"})
    assert found(tmp_path, now=replace(NOW, code=None)).do == TAKE


@pytest.mark.parametrize("status", ["INTERRUPTED", "TIMEOUT", "DIED", "RUNNING"])
def test_stopped_run_is_resumed_unless_it_went_on_already(tmp_path: Path, status: str) -> None:
    dead = {**this_process(), "pid": 2**22 + 1}  # no such process
    write(tmp_path, status, process=dead)
    assert found(tmp_path).do == RESUME
    write(tmp_path, parent=1, lineage=[1, 2])
    result = found(tmp_path)
    assert (result.do, result.run and result.run.id) == (TAKE, 2)


def test_run_that_goes_on_elsewhere_is_waited_for(tmp_path: Path) -> None:
    write(tmp_path, "INTERRUPTED")
    write(tmp_path, "RUNNING", process=this_process())
    result = found(tmp_path)
    assert (result.do, result.run and result.run.id) == (WAIT, 2)


def test_extended_training_is_another_training(tmp_path: Path) -> None:
    write(tmp_path, config={"epochs": 2})
    write(tmp_path, parent=1, lineage=[1, 2])
    assert "it extended run 1" in found(tmp_path).why


def test_run_from_older_weights_is_not_taken(tmp_path: Path) -> None:
    weights = tmp_path / "pretrained.pt"
    weights.touch()
    write(tmp_path)
    cell = replace(CELL, weights=weights)
    assert "began before" in found(tmp_path, cell).why
    os.utime(weights, (0, 0))
    assert found(tmp_path, cell).do == TAKE


def test_damaged_runs_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / str(write(tmp_path)) / "config.json").write_text("{")
    (tmp_path / str(write(tmp_path)) / "sources.json").unlink()
    assert found(tmp_path).do == TRAIN


def test_rows_of_one_name_are_told_apart_by_what_differs() -> None:
    cells = [
        replace(CELL, row=row, seed=seed, config={**CONFIG, "seed": seed, **entries})
        for row, entries in (
            ("sym", {}),
            ("sym weight_lcc=2", {"weight_lcc": 2.0}),
            ("mse", {"name": "mse"}),
        )
        for seed in (0, 1)
    ]
    assert row_options(cells) == [
        "sym: weight_lcc=1.0",
        "sym weight_lcc=2: weight_lcc=2.0",
        "mse",
    ]


def test_code_of_a_training_is_what_it_imports_and_what_is_compiled() -> None:
    code = training_code()
    wanted = {
        "experiments/train.py",
        "experiments/fit.py",
        "hipreg/losses/lcc.py",
        "hipreg/native/lcc.c",
        "hipreg/data/datasets/hippocampus.py",
        "hipreg/__init__.py",
    }
    assert wanted <= set(code)
    beside = ("studies/report", "studies/ablation", "experiments/runs/", "experiments/omniboard/")
    assert [path for path in code if path.startswith(beside)] == []
    assert all(len(digest) == 64 for digest in json.loads(json.dumps(code)).values())
