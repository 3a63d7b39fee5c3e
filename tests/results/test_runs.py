"""Recorded runs are read as they are, whatever state they are in."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from results.runs import load_runs, read_run
from tests.results.helpers import finished, write_run


def test_run_reads_back_what_was_recorded(tmp_path: Path) -> None:
    folder = finished(tmp_path, "sym", 0.7, config={"epochs": 3})
    run = read_run(folder)
    assert (run.id, run.name, run.finished) == (1, "sym", True)
    assert run.config["epochs"] == 3
    assert (run.dataset, run.fingerprint, run.code) == ("hippocampus", "f00d", "0123456789")
    assert run.pairs("val").exists()


def test_run_is_frozen(tmp_path: Path) -> None:
    run = read_run(finished(tmp_path, "sym", 0.7))
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.name = "other"  # type: ignore[misc]


def test_runs_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for _ in range(11):
        write_run(tmp_path, "sym")
    assert [run.id for run in load_runs(tmp_path).runs] == list(range(1, 12))


def test_no_folder_means_no_runs(tmp_path: Path) -> None:
    assert load_runs(tmp_path / "none").runs == ()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("run.json", None, "run.json is missing"),
        ("run.json", '{"status": "RUN', "run.json cannot be read"),
        ("config.json", "[1]", "should hold an object, got list"),
        ("info.json", "\x00", "info.json cannot be read"),
    ],
)
def test_damaged_run_is_listed_and_the_others_are_read(
    tmp_path: Path, name: str, content: str | None, reason: str
) -> None:
    path = finished(tmp_path, "sym", 0.7) / name
    path.unlink()
    if content is not None:
        path.write_text(content)
    finished(tmp_path, "sym", 0.7)
    records = load_runs(tmp_path)
    assert [run.id for run in records.runs] == [2]
    assert [item.folder.name for item in records.damaged] == ["1"]
    assert reason in records.damaged[0].reason


def test_unfinished_run_is_read_as_unfinished(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, "sym", status="RUNNING"))
    assert not run.finished
    assert run.metrics == {}
