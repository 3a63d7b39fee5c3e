"""The subcommands that call others hand on what was typed and say what came of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.process import this_process
from tests.experiments.equality import assert_mirrored
from tests.experiments.runs.made import Command, make_run, rising
from tests.experiments.servers import free_port
from tests.experiments.test_sync import body
from tests.experiments.test_tracking import record


@pytest.fixture
def recorded(runs: Command) -> Command:
    """Two runs that were really recorded."""
    for _ in range(2):
        record(body, runs.root)
    return runs


def test_sync_mirrors_all_runs_or_those_that_are_named(recorded: Command, url: str) -> None:
    assert "1 runs brought up to date" in recorded("sync", "2", "--mongo-url", url).out
    rest = recorded("sync", "--mongo-url", url)
    assert rest.status == 0
    assert "1 runs brought up to date, 1 already were" in rest.out
    assert_mirrored(recorded.root, url)
    again = recorded("sync", "--thorough", "--mongo-url", url)
    assert "2 runs brought up to date" in again.out


def test_sync_takes_its_database_from_the_environment(
    recorded: Command, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HIPREG_MONGO_URL", raising=False)
    assert "HIPREG_MONGO_URL" in recorded("sync").err
    monkeypatch.setenv("HIPREG_MONGO_URL", url)
    assert recorded("sync").status == 0
    assert_mirrored(recorded.root, url)


def test_sync_that_leaves_a_run_behind_says_so_in_its_status(recorded: Command, url: str) -> None:
    (recorded.root / "2" / "run.json").write_text("{")
    shown = recorded("sync", "--mongo-url", url)
    assert shown.status == 1
    assert "run 2 failed" in shown.out


def test_sync_of_a_run_elsewhere_is_refused(recorded: Command, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other")
    shown = recorded("sync", str(other), "--mongo-url", "mongodb://127.0.0.1:9/x")
    assert shown.status == 2
    assert f"--runs-dir {other.parent}" in shown.err


def test_server_that_is_not_there_is_one_line_without_the_password(
    recorded: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("experiments.sync._PATIENCE", 0.2)
    url = f"mongodb://me:open-sesame@127.0.0.1:{free_port()}/hipreg"
    shown = recorded("sync", "--mongo-url", url)
    assert shown.status == 2
    assert "open-sesame" not in shown.err + shown.out


def test_reap_closes_the_dead_alone_and_names_them(runs: Command) -> None:
    gone = this_process() | {"pid": 2**22 + 1, "started": "0"}
    make_run(runs.root, metrics=rising(3))
    make_run(runs.root, metrics=rising(3), status="RUNNING", process=gone)
    make_run(runs.root, metrics=rising(3), status="RUNNING", process=this_process())
    assert runs("reap", "--json").json == [2]
    assert runs("reap", "--json").json == []
    shown = {run["id"]: run["status"] for run in runs("list", "--json").json}
    assert shown == {1: "COMPLETED", 2: "DIED", 3: "RUNNING"}


def test_resume_of_what_cannot_be_resumed_is_one_line(runs: Command) -> None:
    make_run(runs.root, metrics=rising(3))
    make_run(runs.root, parent=1, lineage=[1, 2])
    assert "continued as run 2" in runs("resume", "1").err
    assert "checkpoint" in runs("resume", "latest").err
    assert "another training" in runs("resume", "2", "with", "seed=3").err
    assert "no run '9'" in runs("resume", "9").err


def test_omniboard_says_in_one_line_why_it_cannot_start(runs: Command) -> None:
    runs.root.parent.joinpath("runs").touch()
    shown = runs("omniboard")
    assert shown.status == 2
    assert "cannot write" in shown.err
