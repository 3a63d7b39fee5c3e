"""Run folders of both formats are read as they are, whatever state they are in."""

from __future__ import annotations

import json
import logging
import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from experiments import records
from experiments.process import this_process
from experiments.records import MetricLine, read_lines, read_metrics, read_record, read_records

ROOT = Path(__file__).resolve().parents[2]


def write_run(root: Path, run_id: int, *, metrics: str = "", **entries: Any) -> Path:
    """A run folder with the given entries of its document and lines of metrics."""
    folder = root / str(run_id)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": "COMPLETED", **entries}))
    (folder / "metrics.jsonl").write_text(metrics)
    return folder


def lines(name: str, *points: tuple[int, float]) -> str:
    """Metric lines of one name."""
    return "".join(
        json.dumps({"step": step, "time": "", "values": {name: value}}) + "\n"
        for step, value in points
    )


def test_numbers_logged_at_once_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 3, "time": "t", "values": {"a": 1, "b": "NaN", "c": "-Infinity"}}')
    (line,) = read_lines(path)
    assert (line.step, line.time, line.values["a"]) == (3, "t", 1)
    assert math.isnan(line.values["b"])
    assert line.values["c"] == -math.inf


def test_format_1_is_read_like_format_2(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"name": "a", "step": 1, "value": "inf", "time": "t"}\n')
    assert list(read_lines(path)) == [MetricLine(1, "t", {"a": math.inf})]


def test_order_of_logging_is_kept_when_names_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    rows: list[tuple[int, dict[str, float]]] = [
        (1, {"a": 1.0}),
        (2, {"a": 2.0, "b": -2.0}),
        (3, {"a": 3.0}),
        (2, {"b": -9.0}),
    ]
    path.write_text("".join(json.dumps({"step": s, "values": v}) + "\n" for s, v in rows))
    assert read_metrics(path) == {"a": [(1, 1.0), (2, 2.0), (3, 3.0)], "b": [(2, -2.0), (2, -9.0)]}


def test_damaged_lines_are_told_of_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "metrics.jsonl"
    good = lines("a", (1, 0.5))
    path.write_text(good + '[]\n{"step": 2, "values": {"a": null}}\n7\n{"step": 3, "val')
    with caplog.at_level(logging.WARNING):
        assert read_metrics(path) == {"a": [(1, 0.5)]}
    assert "4 damaged lines" in caplog.text


def test_missing_file_means_no_numbers(tmp_path: Path) -> None:
    assert read_metrics(tmp_path / "none") == {}


def test_lineage_is_stitched_without_doubled_or_missing_epochs(tmp_path: Path) -> None:
    write_run(tmp_path, 1, metrics=lines("a", (1, 1), (2, 2), (3, 3), (4, 4)))
    second = {"parent": 1, "lineage": [1, 2], "resumed_at_epoch": 3}
    write_run(tmp_path, 2, metrics=lines("a", (4, 40), (5, 50)), **second)
    # The second wrote no checkpoint of its own, so that the third starts from the first's, too.
    third = {"parent": 2, "lineage": [1, 2, 3], "resumed_at_epoch": 2}
    folder = write_run(tmp_path, 3, metrics=lines("a", (3, 300), (4, 400)), **third)
    assert read_record(tmp_path / "2").stitched() == {
        "a": [(1, 1), (2, 2), (3, 3), (4, 40), (5, 50)]
    }
    assert read_record(folder).stitched() == {"a": [(1, 1), (2, 2), (3, 300), (4, 400)]}
    assert read_record(folder).metrics() == {"a": [(3, 300), (4, 400)]}


def test_running_process_is_running_and_one_that_is_gone_is_dead(tmp_path: Path) -> None:
    running = {"status": "RUNNING", "process": this_process()}
    alive = read_record(write_run(tmp_path, 1, **running))
    assert (alive.status, alive.shown_status) == ("RUNNING", "RUNNING")
    running["process"]["started"] = "long ago"  # the same number, given to another process
    dead = read_record(write_run(tmp_path, 2, **running))
    assert (dead.status, dead.shown_status) == ("RUNNING", "DEAD")
    assert "is gone" in (records.why_dead(dead) or "")


@pytest.mark.parametrize(("minutes", "shown"), [(1, "RUNNING"), (20, "DEAD")])
def test_run_on_another_host_is_judged_by_its_heartbeat(
    tmp_path: Path, minutes: int, shown: str
) -> None:
    beat = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    process = {**this_process(), "host": "elsewhere"}
    folder = write_run(tmp_path, 1, status="RUNNING", heartbeat=beat, process=process)
    assert read_record(folder).shown_status == shown


def test_damaged_documents_are_listed_with_the_reason(tmp_path: Path) -> None:
    write_run(tmp_path, 1)
    (tmp_path / "2").mkdir()
    write_run(tmp_path, 3)
    (tmp_path / "3" / "run.json").write_text("[1]")
    found = read_records(tmp_path)
    assert [record.id for record in found.runs] == [1]
    assert [item.reason for item in found.damaged] == [
        "run.json is missing",
        "run.json should hold an object, got list",
    ]


def test_readers_start_without_sacred_and_torch() -> None:
    code = "import sys, experiments.records; print({'torch', 'sacred'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
