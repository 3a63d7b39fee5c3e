"""Runs that are mirrored to a real MongoDB-compatible server."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from experiments.records import read_metrics
from tests.experiments.test_train import SMALL, command
from tests.helpers import skip_or_fail


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a SecantusDB server on loopback."""
    program = shutil.which("secantusd-py", path=str(Path(sys.executable).parent))
    if program is None:
        skip_or_fail("SecantusDB is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    storage = tmp_path_factory.mktemp("mongo")
    process = subprocess.Popen(
        [str(program), "--host", "127.0.0.1", "--port", str(port), "--storage-path", str(storage)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=storage,
    )
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(150):
        assert process.poll() is None, "the server ended by itself"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail("the server did not start within 30 s")


def _documents(port: int) -> tuple[dict[str, Any], dict[str, list[float]]]:
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient("127.0.0.1", port)
    try:
        database = client["records"]
        run = database["runs"].find_one()
        assert run is not None
        metrics = database["metrics"].find({"run_id": run["_id"]})
        return run, {metric["name"]: metric["values"] for metric in metrics}
    finally:
        client.close()


def test_database_mirrors_the_run_folder(server: int, tmp_path: Path) -> None:
    url = f"mongodb://127.0.0.1:{server}/records"
    done = command(*SMALL, runs=tmp_path, environment={"HIPREG_MONGO_URL": url})
    assert done.returncode == 0, done.stdout + done.stderr
    run, metrics = _documents(server)
    folder = tmp_path / "1"
    config = json.loads((folder / "config.json").read_text())
    assert run["status"] == "COMPLETED"
    assert run["config"] == config
    assert run["info"]["data"]["dataset"] == "synthetic"
    assert {artifact["name"] for artifact in run["artifacts"]} == {
        path.name for path in (folder / "artifacts").iterdir()
    }
    found = read_metrics(folder / "metrics.jsonl")
    local = {name: [value for _, value in series] for name, series in found.items()}
    assert metrics == local


def test_absent_server_costs_the_mirror_and_not_the_run(tmp_path: Path) -> None:
    url = "mongodb://someone:hidden-word@127.0.0.1:9/records?serverSelectionTimeoutMS=500"
    done = command(*SMALL, "epochs=1", runs=tmp_path, environment={"HIPREG_MONGO_URL": url})
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "the run is recorded in its folder only" in output
    assert "hidden-word" not in output
    for path in (tmp_path / "1").rglob("*"):
        if path.is_file():
            assert b"hidden-word" not in path.read_bytes(), path
