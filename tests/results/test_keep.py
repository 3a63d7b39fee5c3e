"""Keeping the records behind published figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from results.keep import ARTIFACTS, OF_BEFORE, keep, main
from results.origin import BEFORE, Before, run_before
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


def test_kept_record_of_a_resumed_run_holds_its_whole_lineage(tmp_path: Path) -> None:
    first = finished_run(tmp_path / "runs" / "1", "INTERRUPTED")
    second = finished_run(tmp_path / "runs" / "2")
    document = json.loads((second / "run.json").read_text())
    document |= {"parent": 1, "lineage": [1, 2], "resumed_at_epoch": 2}
    (second / "run.json").write_text(json.dumps(document))
    for folder, steps in ((first, (1, 2, 3)), (second, (3, 4))):
        lines = [{"step": step, "time": "t", "values": {"a": "NaN"}} for step in steps]
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run,) = load_runs(keep(second, tmp_path / "records").parent).runs
    assert run.lineage == (run.id,)
    assert [step for step, _ in run.metrics["a"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", BEFORE, ids=lambda kind: kind.kind)
def test_what_trainings_build_on_is_kept_once_with_all_of_them(
    kind: Before, tmp_path: Path
) -> None:
    before = finished_run(tmp_path / "runs" / "1")
    (before / "artifacts" / OF_BEFORE[kind][0]).write_text("")
    document = json.loads((before / "run.json").read_text())
    (before / "run.json").write_text(json.dumps({**document, "start_time": "2026-01-02"}))
    weights = str(before / "artifacts" / "pretrained.pt")
    for number in ("2", "3"):
        after = finished_run(tmp_path / "runs" / number)
        document[kind.said] = {"weights": weights}
        (after / "run.json").write_text(json.dumps(document))
        (after / "config.json").write_text(json.dumps({"name": "sym", kind.entry: weights}))
        keep(after, tmp_path / "records")
    kept = tmp_path / "records" / kind.kind / "1"
    assert {path.name for path in (kept / "artifacts").iterdir()} == set(OF_BEFORE[kind])
    assert not kept.with_name("2").exists()
    for run in load_runs(tmp_path / "records").runs:
        found = run_before(run, kind)
        assert found is not None
        assert found.folder == kept
        assert run.config[kind.entry] == f"{kind.kind}/1"
    assert str(tmp_path) not in "".join(path.read_text() for path in kept.rglob("*.json"))


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
