"""Keeping the records behind published figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from results.keep import ARTIFACTS, keep, main
from results.runs import load_runs


def finished_run(folder: Path, status: str = "COMPLETED") -> Path:
    (folder / "artifacts").mkdir(parents=True)
    document = {
        "name": "train",
        "status": status,
        "host": {"hostname": "secret-host", "cpu": "A CPU"},
        "meta": {"options": {"--runs-dir": "/home/someone/runs"}},
    }
    (folder / "run.json").write_text(json.dumps(document))
    (folder / "config.json").write_text('{"name": "sym", "data_dir": "/home/someone/data"}')
    (folder / "info.json").write_text("{}")
    (folder / "metrics.jsonl").write_text("")
    for name in (*ARTIFACTS, "best.pt", "panel.png"):
        (folder / "artifacts" / name).write_text(name)
    return folder


def test_kept_records_are_a_run_that_tables_read_without_weights_or_scans(tmp_path: Path) -> None:
    folder = keep(finished_run(tmp_path / "runs" / "7"), tmp_path / "records")
    assert folder == tmp_path / "records" / "1"
    assert {path.name for path in (folder / "artifacts").iterdir()} == set(ARTIFACTS)
    (run,) = load_runs(tmp_path / "records").runs
    assert (run.name, run.finished) == ("sym", True)


def test_kept_records_say_nothing_of_the_machines_folders_or_name(tmp_path: Path) -> None:
    folder = keep(finished_run(tmp_path / "runs" / "7"), tmp_path / "records")
    text = "".join(path.read_text() for path in folder.rglob("*.json"))
    assert "someone" not in text
    assert "secret-host" not in text
    assert "A CPU" in text


@pytest.mark.parametrize("status", ["FAILED", "RUNNING"])
def test_unfinished_runs_are_not_kept(tmp_path: Path, status: str) -> None:
    run = finished_run(tmp_path / "runs" / "7", status)
    with pytest.raises(ValueError, match="only finished runs"):
        keep(run, tmp_path / "records")
    assert not (tmp_path / "records").exists()


def test_command_names_what_is_missing_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = finished_run(tmp_path / "runs" / "7")
    (run / "artifacts" / "history.csv").unlink()
    assert main([str(run), "--to", str(tmp_path / "records")]) == 1
    assert "history.csv" in capsys.readouterr().err
