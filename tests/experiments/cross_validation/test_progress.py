"""The time that is left is foretold from what was done, kind by kind."""

from __future__ import annotations

import pytest

from experiments.cross_validation import progress
from experiments.cross_validation.progress import Kind, Progress, seconds_left


def test_nothing_is_foretold_before_anything_was_timed() -> None:
    assert seconds_left({"epochs": Kind(10, 30.0, done=4)}) is None


def test_each_kind_goes_on_at_its_own_speed() -> None:
    kinds = {
        "epochs": Kind(10, 30.0, done=4, timed=2, seconds=20.0),
        "pairs": Kind(100, 1.0, done=50, timed=50, seconds=100.0),
    }
    assert seconds_left(kinds) == pytest.approx(6 * 10 + 50 * 2)


def test_what_was_not_done_yet_is_as_much_slower_than_guessed_as_the_rest() -> None:
    kinds = {"epochs": Kind(10, 30.0, done=2, timed=2, seconds=120.0), "pairs": Kind(50, 1.0)}
    assert seconds_left(kinds) == pytest.approx(8 * 60 + 50 * 2)


def test_work_that_was_done_before_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 100.0, 130.0, 140.0, 200.0, 202.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with Progress({"epochs": Kind(10, 30.0, done=4), "pairs": Kind(8, 1.0)}) as bar:
        bar.begin("epochs", "a training")
        bar.at(0)
        bar.at(2)
        bar.at(3)
        assert (bar.kinds["epochs"].done, bar.kinds["epochs"].timed) == (7, 3)
        assert bar.kinds["epochs"].seconds == 40.0
        bar.begin("pairs", "measuring")
        bar.at(1)
    assert seconds_left(bar.kinds) == pytest.approx(3 * 40 / 3 + 7 * 2)
