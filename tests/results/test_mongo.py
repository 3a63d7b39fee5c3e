"""Tables are the same whether their records come from folders or from a real MongoDB server."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pymongo
import pytest
from sacred.observers import MongoObserver

from experiments.records import read_record
from experiments.run_folder import run_ids
from experiments.sync import sync
from results import ablation, figures
from results.mongo import load_mongo, run_numbers
from tests.experiments.conftest import server
from tests.experiments.servers import Server, database
from tests.results.helpers import finished, study

__all__ = ["server"]

NOW = datetime(2026, 1, 2, 3, 4, 5)


def by_our_mirror(url: str, runs: Path) -> None:
    """Write run folders into a database as our own mirror does."""
    assert sync(runs, url, progress=False).failed == {}


def by_sacred(url: str, runs: Path, *, number: bool = True) -> None:
    """Write run folders into a database as Sacred does, by its own observer."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(url)
    name = client.get_default_database().name
    try:
        for run_id in run_ids(runs):
            _write(MongoObserver(client=client, db_name=name), runs / str(run_id), number)
    finally:
        client.close()


def _write(observer: Any, folder: Path, number: bool) -> None:
    record = read_record(folder)
    git = record.document["git"]
    about = {"name": record.name, "base_dir": "", "sources": [], "dependencies": []}
    about |= {"mainfile": "", "repositories": [{"url": None, **git}]}
    meta = {"run_folder": record.id} if number else {}
    observer.started_event(
        ex_info=about,
        command="main",
        host_info={"python_version": "3.11"},
        start_time=NOW,
        config=dict(record.config),
        meta_info=meta,
        _id=None,
    )
    info = dict(record.info)
    series = {
        metric: {
            "steps": [step for step, _ in points],
            "values": [value for _, value in points],
            "timestamps": [NOW for _ in points],
            "units": None,
        }
        for metric, points in record.metrics().items()
    }
    observer.log_metrics(series, info)
    observer.heartbeat_event(info=info, captured_out="", beat_time=NOW, result=None)
    for path in sorted((folder / "artifacts").iterdir()):
        observer.artifact_event(path.name, str(path), content_type="text/csv")
    if record.status == "COMPLETED":
        observer.completed_event(stop_time=NOW, result=0.5)
    else:
        observer.interrupted_event(interrupt_time=NOW, status=record.status)


@pytest.mark.parametrize("write", [by_sacred, by_our_mirror])
def test_table_from_the_database_is_the_one_from_the_folders_byte_for_byte(
    server: Server, tmp_path: Path, write: Callable[[str, Path], None]
) -> None:
    runs = study(tmp_path / "runs")
    finished(runs, "sym", 0.1, status="INTERRUPTED")
    url = server.url(write.__name__)
    write(url, runs)
    local, remote = ["--runs", str(runs)], ["--mongo-url", url]
    for source, out in ((local, "local"), (remote, "remote")):
        folder = tmp_path / out
        tidy = ["--tidy", str(folder / "tidy.csv")]
        assert ablation.main([*source, *tidy, "--out", str(folder), "--per-label"]) == 0
        assert figures.main([*source, "--out", str(folder)]) == 0
    made = sorted(path.name for path in (tmp_path / "local").iterdir())
    assert {"ablation.json", "tidy.csv", "curves.pdf"} < set(made)
    for name in made:
        same = (tmp_path / "local" / name).read_bytes() == (
            tmp_path / "remote" / name
        ).read_bytes()
        assert same, name


def test_runs_of_sacred_alone_are_read_by_the_ids_of_their_documents(
    server: Server, tmp_path: Path
) -> None:
    runs = study(tmp_path / "runs")
    url = server.url("plain")
    by_sacred(url, runs, number=False)
    loaded = load_mongo(url, curves=True).runs
    assert [run.id for run in loaded] == list(range(1, 8))
    assert [run.name for run in loaded[2:4]] == ["baseline", "sym"]
    assert loaded[0].code == "0123456789"
    local = read_record(runs / "1")
    assert dict(loaded[0].config) == json.loads(json.dumps(dict(local.config)))
    assert loaded[0].metrics == local.metrics()


def test_run_numbers_stay_apart() -> None:
    documents = [
        {"_id": 1, "meta": {"run_folder": 4}},
        {"_id": 2, "meta": {"run_folder": 4}},
        {"_id": 4},
        {"_id": "word"},
    ]
    assert run_numbers(documents) == [4, 2, 5, 1]


def test_server_that_is_not_there_is_said_without_its_password(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("results.mongo._PATIENCE_MS", 200)
    url = "mongodb://someone:hidden-word@127.0.0.1:9/records"
    assert ablation.main(["--mongo-url", url, "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "error: no runs can be read from mongodb://***@127.0.0.1:9/records" in error
    assert "hidden-word" not in error
    assert ablation.main(["--mongo-url", "no url", "--out", str(tmp_path)]) == 1


def test_name_of_a_table_leads_nowhere_else(server: Server, tmp_path: Path) -> None:
    url = server.url("names")
    runs = tmp_path / "runs"
    finished(runs, "sym", 0.7)
    by_sacred(url, runs)
    change = {"$set": {"artifacts.0.name": "pairs_/../../../../outside.csv"}}
    with database(url) as opened:
        opened["runs"].update_one({}, change)
    (run,) = load_mongo(url).runs
    assert sorted(path.name for path in (run.folder / "artifacts").iterdir()) == ["pairs_val.csv"]
