"""A comparison shows what differs, and the better of two the right way round."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.runs.directions import HIGHER, LOWER, UNKNOWN, best, direction, foremost
from tests.experiments.runs.made import Command, make_run, rising


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("val/dice", HIGHER),
        ("dice", HIGHER),
        ("train/dice/label_1", HIGHER),
        ("selection/dice30", HIGHER),
        ("val/loss/dice", LOWER),
        ("val/loss", LOWER),
        ("train/weighted/dice", LOWER),
        ("val/hd95_30", LOWER),
        ("val/sdlogj_2020", LOWER),
        ("val/folding", LOWER),
        ("weight/dice", UNKNOWN),
        ("learning_rate", UNKNOWN),
        ("pairs_per_second", UNKNOWN),
    ],
)
def test_direction_of_a_metric_is_known(name: str, expected: int) -> None:
    assert direction(name) == expected


def test_best_leaves_out_nan_and_unknown_ways() -> None:
    nan = float("nan")
    assert best("val/dice", [0.5, nan, 0.75]) == 0.75
    assert best("val/hd95", [2.0, nan, float("inf")]) == 2.0
    assert best("val/hd95", [nan]) is None
    assert best("learning_rate", [1.0, 2.0]) is None


def test_foremost_metrics_are_the_evaluators() -> None:
    names = ["weight/lcc", "other", "train/loss", "val/dice/label_1", "val/hd95", "val/dice"]
    assert foremost(names, most=4) == ["val/dice", "val/hd95", "train/loss", "other"]


@pytest.fixture
def two(runs: Command) -> Command:
    versions = {"torch": "2.9", "numpy": "2.4"}
    make_run(
        runs.root, metrics=rising(10, 0.5), dependencies=versions, host={"gpus": ["H200", "H200"]}
    )
    make_run(
        runs.root,
        config={"seed": 1, "norm": None},
        metrics=[{"val/dice": 0.75, "val/hd95": 3.5, "only/here": 1.0}],
        dependencies={**versions, "torch": "2.13", "pandas": "3"},
        host={"cpu": "AMD EPYC"},
        git={"commit": "b" * 40, "dirty": True},
    )
    return runs


def test_differences_alone_are_shown(two: Command) -> None:
    rows = two("compare", "1", "2").rows()
    assert ["seed", "0", "1"] in rows
    assert ["norm", "-", "None"] in rows
    assert ["torch", "2.9", "2.13"] in rows
    assert ["commit", "a" * 10, "b" * 10 + "+"] in rows
    assert ["device", "2", "x", "H200", "AMD", "EPYC"] in rows
    assert not [row for row in rows if row[:1] in (["epochs"], ["numpy"], ["pandas"])]
    assert ["pandas", "-", "3"] in two("compare", "1", "2", "--all").rows()


def test_better_value_is_marked_and_the_change_signed(two: Command) -> None:
    rows = two("compare", "1", "2").rows()
    assert ["val/dice", "0.5000", "0.7500", "*", "+0.2500"] in rows
    assert ["val/hd95", "3", "*", "3.500", "+0.5000"] in rows
    assert ["only/here", "-", "1", "-"] in rows


def test_equal_values_have_no_winner(runs: Command) -> None:
    for _ in range(3):
        make_run(runs.root, metrics=[{"val/dice": 0.5, "val/hd95": "NaN"}])
    rows = runs("compare", "1", "2", "3").rows()
    assert ["val/dice", "0.5000", "0.5000", "0.5000"] in rows
    assert ["val/hd95", "nan", "nan", "nan"] in rows
    assert runs("compare", "1", "2", "--json").json["metrics"]["val/dice"]["better"] is None


def test_comparison_as_json(two: Command) -> None:
    shown = two("compare", "2", "1", "--json").json
    assert [run["id"] for run in shown["runs"]] == [2, 1]
    assert shown["config"]["seed"] == {"2": 1, "1": 0}
    assert shown["packages"] == {
        "torch": {"2": "2.13", "1": "2.9"},
        "pandas": {"2": "3", "1": None},
    }
    assert shown["metrics"]["val/hd95"] == {
        "values": {"2": 3.5, "1": 3.0},
        "better": 3.0,
        "direction": "lower",
    }


def test_runs_of_the_same_number_are_told_apart_by_folder(two: Command, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", config={"seed": 9})
    out = two("compare", "1", str(other)).out
    assert str(other) in out
    assert two("compare", "1", str(other), "--json").json["config"]["seed"][str(other)] == 9


@pytest.mark.parametrize("names", [("1",), ("1", "1"), ("1", "latest", "7")])
def test_comparison_needs_two_runs_that_are_there(runs: Command, names: tuple[str, ...]) -> None:
    make_run(runs.root)
    assert runs("compare", *names).status == 2
