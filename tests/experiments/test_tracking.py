"""A run's folder holds all that the run did, whatever it did."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sacred import Experiment
from sacred.run import Run
from sacred.utils import SacredInterrupt

from experiments.mongo import connect
from experiments.process import this_process
from experiments.records import read_lines
from experiments.tracking import (
    RunFolderError,
    artifacts_folder,
    configure,
    log_epoch,
    mongo_url_option,
    observers,
    runs_dir_option,
)

ROOT = Path(__file__).resolve().parents[2]


def experiment(body: Callable[[Run], Any]) -> Experiment:
    """A configured experiment named "law" whose main function is ``body``."""
    options = [runs_dir_option, mongo_url_option]
    made = Experiment("law", save_git_info=False, additional_cli_options=options)
    made.add_config(name="sym", channels=[4, 8])
    configure(made)

    def main(_run: Run) -> Any:
        return body(_run)

    made.main(main)
    return made


def record(body: Callable[[Run], Any], root: Path, **options: Any) -> Path:
    """The folder of a finished run of ``body``."""
    experiment(body).run(options={"--runs-dir": str(root), "--loglevel": "WARNING", **options})
    return root / "1"


def document(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return loaded


def metrics(folder: Path) -> list[tuple[str, int, float]]:
    lines = read_lines(folder / "metrics.jsonl")
    return [(name, line.step, value) for line in lines for name, value in line.values.items()]


def test_finished_run_is_recorded_with_config_result_and_origin(tmp_path: Path) -> None:
    folder = record(lambda run: 0.75, tmp_path)
    run = document(folder)
    assert (run["id"], run["name"], run["status"], run["result"]) == (1, "sym", "COMPLETED", 0.75)
    assert run["start_time"] <= run["heartbeat"]
    assert run["start_time"] <= run["stop_time"]
    assert run["git"]["dirty"] in (True, False)
    assert run["dependencies"]["torch"]
    assert run["process"] == this_process()
    assert run["lineage"] == [run["id"]]
    config = json.loads((folder / "config.json").read_text())
    assert config["channels"] == [4, 8]
    assert not [path for path in folder.rglob(".*") if path.is_file()]


def test_sources_are_kept_once_whatever_the_number_of_runs(tmp_path: Path) -> None:
    for _ in range(2):
        record(lambda run: None, tmp_path)
    first, second = (json.loads((tmp_path / run / "sources.json").read_text()) for run in "12")
    assert first == second
    digest = first["hipreg/spatial/warp.py"]
    content = (tmp_path / "sources" / digest).read_bytes()
    assert content == (ROOT / "hipreg" / "spatial" / "warp.py").read_bytes()
    assert {path.name for path in (tmp_path / "sources").iterdir()} == set(first.values())


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), torch.tensor(0.5), torch.tensor([0.5]), math.inf, math.nan]
)
def test_any_number_is_a_metric(tmp_path: Path, value: Any) -> None:
    def body(run: Run) -> None:
        log_epoch(run, 3, {"val/dice": value})
        run.log_scalar("direct", value, 3)

    folder = record(body, tmp_path)
    for name, step, stored in metrics(folder):
        assert name in ("val/dice", "direct")
        assert step == 3
        assert stored == pytest.approx(float(value), nan_ok=True)
    flagged = {} if math.isfinite(float(value)) else {"val/dice": 1, "direct": 1}
    assert document(folder)["nonfinite"] == flagged


def test_each_metric_is_stored_once_though_sacred_repeats_it(tmp_path: Path) -> None:
    def body(run: Run) -> None:
        for step in range(3):
            log_epoch(run, step, {"a": step, "b": -step})
        run.log_scalar("c", 5, 0)
        run.log_scalar("c", 6, 0)

    expected = [
        (name, step, sign * step) for step in range(3) for name, sign in (("a", 1), ("b", -1))
    ]
    assert metrics(record(body, tmp_path)) == [*expected, ("c", 0, 5), ("c", 0, 6)]


def test_epoch_is_on_disk_before_the_next_begins(tmp_path: Path) -> None:
    def body(run: Run) -> None:
        log_epoch(run, 0, {"loss": 1.5})
        assert metrics(tmp_path / "1") == [("loss", 0, 1.5)]

    record(body, tmp_path)


def test_value_that_is_no_number_costs_only_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def body(run: Run) -> None:
        log_epoch(run, 0, {"bad": torch.zeros(2), "good": 1})
        run.log_scalar("worse", "many", 0)
        log_epoch(run, 1, {"good": 2})

    assert metrics(record(body, tmp_path)) == [("good", 0, 1), ("good", 1, 2)]
    assert "metric bad at step 0 is left out" in caplog.text
    assert "metric worse at step 0" in caplog.text


def test_missing_artifact_is_told_and_the_rest_is_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / "kept.csv"
    kept.write_text("1")

    def body(run: Run) -> None:
        run.add_artifact(tmp_path / "missing.csv")
        run.add_artifact(kept, name="../outside.csv")
        run.add_artifact(kept)
        log_epoch(run, 0, {"loss": 1})

    folder = record(body, tmp_path / "runs")
    assert "missing.csv" in caplog.text
    assert "outside.csv" in caplog.text
    assert (folder / "artifacts" / "kept.csv").read_text() == "1"
    assert [entry["name"] for entry in document(folder)["artifacts"]] == ["kept.csv"]
    assert metrics(folder) == [("loss", 0, 1)]
    assert document(folder)["status"] == "COMPLETED"
    told = [warning["what"] for warning in document(folder)["warnings"]]
    assert len(told) == 2
    assert "missing.csv" in told[0]


def test_artifact_written_in_place_is_listed_once_and_not_copied(tmp_path: Path) -> None:
    def body(run: Run) -> None:
        folder = artifacts_folder(run)
        assert folder is not None
        path = folder / "last.pt"
        for content in (b"1", b"22"):
            path.write_bytes(content)
            run.add_artifact(path)

    folder = record(body, tmp_path)
    (entry,) = document(folder)["artifacts"]
    assert (entry["name"], entry["path"], entry["size"]) == ("last.pt", "artifacts/last.pt", 2)
    assert entry["sha256"] == hashlib.sha256(b"22").hexdigest()
    assert [path.name for path in (folder / "artifacts").iterdir()] == ["last.pt"]


def test_failure_keeps_its_traceback_and_the_last_words(tmp_path: Path) -> None:
    def body(run: Run) -> None:
        os.write(1, b"last words\n")
        raise ValueError("no such case: 999")

    with pytest.raises(ValueError, match="999"):
        record(body, tmp_path)
    run = document(tmp_path / "1")
    assert run["status"] == "FAILED"
    assert "no such case: 999" in "".join(run["fail_trace"])
    assert "last words" in (tmp_path / "1" / "captured.txt").read_text()


def test_interrupt_is_stored_under_its_own_status(tmp_path: Path) -> None:
    class Timeout(SacredInterrupt):
        STATUS = "TIMEOUT"

    def body(run: Run) -> None:
        raise Timeout

    with pytest.raises(Timeout):
        record(body, tmp_path)
    assert document(tmp_path / "1")["status"] == "TIMEOUT"


def test_printed_progress_is_stored_as_shown(tmp_path: Path) -> None:
    def body(run: Run) -> None:
        os.write(1, b"".join(b"\r%3d%%" % step for step in range(101)) + b"\n")

    text = (record(body, tmp_path) / "captured.txt").read_text()
    assert "100%\n" in text
    assert "50%" not in text


def test_unwritable_folder_is_one_clear_error_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    trained: list[Run] = []
    with pytest.raises(RunFolderError, match=r"cannot record runs under .*--runs-dir"):
        record(trained.append, tmp_path / "file" / "runs")
    assert trained == []


@pytest.mark.parametrize(("wanted", "message"), [("1", "exists"), ("abc", "whole number")])
def test_id_that_cannot_be_given_is_an_error(tmp_path: Path, wanted: str, message: str) -> None:
    record(lambda run: None, tmp_path)
    with pytest.raises(RunFolderError, match=message):
        record(lambda run: None, tmp_path, **{"--id": wanted})


def test_unobserved_run_writes_nothing(tmp_path: Path) -> None:
    def body(run: Run) -> None:
        log_epoch(run, 0, {"loss": 1})
        assert artifacts_folder(run) is None

    experiment(body).run(options={"--unobserved": True, "--runs-dir": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_no_fault_of_one_call_ends_the_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def body(run: Run) -> None:
        (observer,) = run.observers
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("experiments.run_folder.write_json", _raising)
            observer.resource_event(filename=__file__)
            observer.heartbeat_event(
                info={}, captured_out="", beat_time=run.start_time, result=None
            )
        log_epoch(run, 0, {"loss": 1})

    folder = record(body, tmp_path)
    assert "no space left" in caplog.text
    assert document(folder)["status"] == "COMPLETED"
    assert len(document(folder)["resources"]) == 1
    assert metrics(folder) == [("loss", 0, 1)]


def _raising(*_: Any) -> None:
    raise OSError("no space left")


def test_killed_run_keeps_every_epoch_that_it_logged(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from tests.experiments.test_tracking import record, log_epoch\n"
        "def body(run):\n"
        "    for step in range(5): log_epoch(run, step, {'loss': step})\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "record(body, Path(sys.argv[1]))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert metrics(tmp_path / "1") == [("loss", step, step) for step in range(5)]
    assert document(tmp_path / "1")["status"] == "RUNNING"


def test_absent_database_costs_the_run_nothing_and_no_password_leaks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "mongodb://me:open-sesame@127.0.0.1:9/hipreg"
    monkeypatch.setitem(connect._PATIENCE_MS, "serverSelectionTimeoutMS", 50)
    caplog.set_level(logging.DEBUG)

    def body(run: Run) -> None:
        print(f"connecting to {url}", flush=True)
        run.info["server"] = url
        log_epoch(run, 0, {"loss": 1})

    folder = record(body, tmp_path, **{"--mongo-url": url})
    assert document(folder)["status"] == "COMPLETED"
    assert metrics(folder) == [("loss", 0, 1)]
    assert "recorded in its folder only" in caplog.text
    written = "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    assert "mongodb://***@127.0.0.1:9/hipreg" in written
    assert not re.search("open-sesame", written + caplog.text)


def test_database_is_used_only_where_a_url_is_given(tmp_path: Path) -> None:
    assert [type(o).__name__ for o in observers(tmp_path)] == ["RunFolderObserver"]
    both = observers(tmp_path, "mongodb://me:open-sesame@host/db")
    assert [type(o).__name__ for o in both] == ["RunFolderObserver", "MongoMirror"]
    assert "open-sesame" not in repr(both)
    assert both[0].priority > both[1].priority
