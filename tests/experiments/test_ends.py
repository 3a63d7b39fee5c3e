"""A run that cannot tell its end any more is closed by others, and no other run is."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from experiments.ends import reap
from experiments.process import is_gone, this_process
from experiments.records import read_record
from tests.experiments.test_records import write_run

LONG_AGO = (datetime.now(UTC) - timedelta(hours=3)).isoformat()


def gone() -> dict[str, Any]:
    """A process of this machine that has ended."""
    code = "import json; from experiments.process import this_process as p; print(json.dumps(p()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    process: dict[str, Any] = json.loads(done.stdout)
    return process


def test_killed_run_is_closed_with_its_last_sign_of_life(tmp_path: Path) -> None:
    running = {"status": "RUNNING", "heartbeat": LONG_AGO}
    later = datetime.now(UTC).isoformat()
    logged = json.dumps({"step": 1, "time": later, "values": {"a": 1.0}}) + '\n{"step": 2, "ti'
    write_run(tmp_path, 1, process=gone(), metrics=logged, **running)
    write_run(tmp_path, 2, process=gone(), **running)
    first, second = reap(tmp_path)
    assert (first.status, first.shown_status) == ("DIED", "DIED")
    # An epoch was logged long after its last beat.
    assert first.document["stop_time"] == later
    assert second.document["stop_time"] == LONG_AGO
    assert "is gone" in first.document["died"]["why"]
    assert read_record(tmp_path / "1").status == "DIED"
    assert reap(tmp_path) == []


def test_living_finished_and_distant_runs_are_left_alone(tmp_path: Path) -> None:
    now = datetime.now(UTC).isoformat()
    elsewhere = {**this_process(), "host": "elsewhere"}
    write_run(tmp_path, 1, status="RUNNING", heartbeat=LONG_AGO, process=this_process())
    write_run(tmp_path, 2, status="COMPLETED", heartbeat=LONG_AGO, process=gone())
    write_run(tmp_path, 3, status="RUNNING", heartbeat=now, process=elsewhere)
    (tmp_path / "4").mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    assert reap(tmp_path) == []
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before


def test_silent_run_of_another_machine_is_closed_and_says_by_what(tmp_path: Path) -> None:
    elsewhere = {**this_process(), "host": "elsewhere", "boot": "another"}
    write_run(tmp_path, 1, status="RUNNING", heartbeat=LONG_AGO, process=elsewhere)
    assert reap(tmp_path, silence=timedelta(hours=4)) == []
    (closed,) = reap(tmp_path)
    assert closed.document["died"]["why"].startswith("its process on elsewhere cannot be seen")


def test_run_of_a_machine_that_was_started_anew_is_judged_by_its_silence(tmp_path: Path) -> None:
    process = {**this_process(), "boot": "the one before"}
    assert is_gone(process) is None
    write_run(tmp_path, 1, status="RUNNING", heartbeat=LONG_AGO, process=process)
    assert [run.id for run in reap(tmp_path)] == [1]


def test_record_without_a_process_is_judged_by_its_silence(tmp_path: Path) -> None:
    write_run(tmp_path, 1, status="RUNNING", heartbeat=LONG_AGO)
    write_run(tmp_path, 2, status="RUNNING", start_time=datetime.now(UTC).isoformat())
    assert [run.id for run in reap(tmp_path)] == [1]
