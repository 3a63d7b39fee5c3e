"""Large records are written seldom, and their last version always."""

from __future__ import annotations

import pytest

from experiments.unhurried import SHARE, Unhurried


class Clock:
    """A clock that goes on by what writing takes, and by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_writing_takes_its_share_of_the_time_and_no_more() -> None:
    clock = Clock()
    written: list[int] = []

    def write(version: int) -> None:
        written.append(version)
        clock.now += 1.0

    kept = Unhurried(write, clock)
    while clock.now < 10 / SHARE:
        kept.keep(int(clock.now))
        clock.now += 10.0
    assert len(written) == pytest.approx(10, abs=1)
    kept.keep(-1)
    kept.finish()
    assert written[-1] == -1


def test_failed_version_is_written_by_a_later_call() -> None:
    written: list[str] = []
    full = True

    def write(version: str) -> None:
        if full:
            raise OSError("full")
        written.append(version)

    kept = Unhurried(write, lambda: 0.0)
    with pytest.raises(OSError, match="full"):
        kept.keep("a")
    full = False
    kept.finish()
    assert written == ["a"]


def test_text_that_is_written_already_is_not_written_again() -> None:
    written: list[str] = []
    kept = Unhurried(written.append, lambda: 0.0)
    for text in ("a", "a", "b", "b"):
        kept.keep(text)
    kept.finish()
    assert written == ["a", "b"]
