"""``sync`` makes a database equal the run folders, whatever happened to it, as often as called."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import gridfs
import pymongo
import pytest
from sacred.observers import MongoObserver
from sacred.run import Run

from experiments.errors import PlainError
from experiments.mongo.connect import connect, make_indexes
from experiments.mongo.push import RunMirror
from experiments.sync import sync
from experiments.tracking import artifacts_folder, log_epoch
from tests.experiments.equality import assert_mirrored, load
from tests.experiments.servers import LockedServer, Proxy, Server, database
from tests.experiments.test_tracking import experiment, record


def body(run: Run) -> float:
    folder = artifacts_folder(run)
    assert folder is not None
    for epoch in range(3):
        log_epoch(run, epoch, {"val/dice": epoch / 10, "train/loss": 1 / (epoch + 1)})
    (folder / "pairs_val.csv").write_text("pair,dice\n1,0.5\n")
    run.add_artifact(folder / "pairs_val.csv")
    run.add_resource(__file__)
    run.info["data"] = {"dataset": "synthetic"}
    return 0.2


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two recorded runs that no database knows."""
    for _ in range(2):
        record(body, tmp_path)
    return tmp_path


def test_runs_recorded_without_a_server_are_mirrored_later(root: Path, url: str) -> None:
    report = sync(root, url)
    assert (report.pushed, report.current, report.failed) == ([2, 1], [], {})
    assert report.ids == {1: 1, 2: 2}
    assert_mirrored(root, url)
    again = sync(root, url)
    assert (again.pushed, again.current) == ([], [2, 1])
    assert sync(root, url, ids=[1], thorough=True).pushed == [1]
    assert_mirrored(root, url)


@pytest.mark.parametrize("lost", ["runs", "metrics", "fs.files", "fs.chunks", "everything"])
def test_what_a_database_lost_is_made_again(root: Path, url: str, lost: str) -> None:
    sync(root, url)
    with database(url) as db:
        for name in db.list_collection_names() if lost == "everything" else [lost]:
            db.drop_collection(name)
    sync(root, url, thorough=True)
    assert_mirrored(root, url)


def test_document_that_somebody_deletes_comes_back_whole(root: Path, url: str) -> None:
    mirror, connection = RunMirror(root / "1"), connect(url)
    make_indexes(connection.database)
    mirror.push(connection.database)
    for name in ("runs", "metrics"):  # as Omniboard does it
        connection.database[name].delete_many({})
    log_again(root / "1")
    mirror.push(connection.database)
    connection.client.close()
    assert sync(root, url).pushed == [2]
    assert_mirrored(root, url)


def log_again(folder: Path) -> None:
    path = folder / "metrics.jsonl"
    with path.open("a") as metrics:
        metrics.write(path.read_text().splitlines()[-1] + "\n")


def test_run_stays_degraded_until_the_mirror_that_was_behind_is_not(
    tmp_path: Path, own_server: Server, url: str
) -> None:
    gone, runs = own_server.url("gone"), tmp_path / "runs"
    record(body, runs, **{"--mongo-url": f"{gone}?serverSelectionTimeoutMS=300"})
    sync(runs, url)
    assert load(runs / "1" / "run.json")["degraded"]
    own_server.start()
    sync(runs, gone)
    assert load(runs / "1" / "run.json")["degraded"] is None


def test_folder_that_changes_is_mirrored_again(root: Path, url: str) -> None:
    sync(root, url)
    (root / "1" / "artifacts" / "pairs_val.csv").write_text("pair,dice\n1,0.75\n")
    log_again(root / "2")
    assert sync(root, url).pushed == [2, 1]
    assert_mirrored(root, url)


def test_tags_and_notes_of_omniboard_stay(root: Path, url: str) -> None:
    sync(root, url)
    chosen = {"tags": ["good"], "notes": "the one"}
    with database(url) as db:
        db["runs"].update_one({"_id": 1}, {"$set": {"omniboard": chosen}})
        sync(root, url, thorough=True)
        assert db["runs"].find_one({"_id": 1})["omniboard"] == chosen


def test_damaged_folder_costs_only_itself(root: Path, url: str) -> None:
    (root / "1" / "run.json").write_text("{")
    (root / "7").mkdir()
    report = sync(root, url)
    assert report.pushed == [2]
    assert set(report.failed) == {1, 7}
    assert "run.json" in report.failed[1]


def test_sources_are_stored_once_for_all_runs(root: Path, url: str) -> None:
    sync(root, url)
    contents = {path.name for path in (root / "sources").iterdir()}
    with database(url) as db:
        stored = [file["metadata"]["sha256"] for file in db["fs.files"].find()]
    assert contents <= set(stored)
    assert len(stored) - len(contents) == 2 + _differences(root)  # one artifact a run


def _differences(root: Path) -> int:
    return len({path.read_bytes() for path in root.glob("*/uncommitted.diff")})


def test_two_mirrors_of_one_run_make_one_document(tmp_path: Path, url: str) -> None:
    connections = [connect(url) for _ in range(4)]
    make_indexes(connections[0].database)

    def race(run: Run) -> None:
        folder = tmp_path / "1"
        mirrors = [RunMirror(folder) for _ in connections]
        failed: list[BaseException] = []

        def push(mirror: RunMirror, connection: Any) -> None:
            try:
                for _ in range(5):
                    mirror.push(connection.database)
            except BaseException as error:
                failed.append(error)

        for epoch in range(5):
            log_epoch(run, epoch, {"a": epoch, "b": -epoch})
            threads = [
                threading.Thread(target=push, args=pair)
                for pair in zip(mirrors, connections, strict=True)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert failed == []

    record(race, tmp_path)
    sync(tmp_path, url)
    assert_mirrored(tmp_path, url)
    for connection in connections:
        connection.client.close()


def test_what_cannot_be_is_said_plainly(root: Path, url: str, proxy: Proxy) -> None:
    with pytest.raises(PlainError, match=r"no run 9 under .*; the newest there: 1, 2"):
        sync(root, url, ids=[1, 9])
    with pytest.raises(PlainError, match="no usable MongoDB URL"):
        sync(root, "http://127.0.0.1/records")
    proxy.close()
    gone = f"127.0.0.1:{proxy.port}/records?serverSelectionTimeoutMS=300"
    with pytest.raises(PlainError, match=r"cannot use MongoDB at .*nothing was changed") as caught:
        sync(root, f"mongodb://someone:hidden-word@{gone}")
    assert "hidden-word" not in str(caught.value)


def test_password_opens_the_database_and_is_nowhere_else(
    locked_server: LockedServer, tmp_path: Path
) -> None:
    url = locked_server.url("records")

    def talkative(run: Run) -> None:
        body(run)
        print(f"recording to {url}")

    record(talkative, tmp_path, **{"--mongo-url": url})
    assert_mirrored(tmp_path, url)
    record(talkative, tmp_path, **{"--mongo-url": url.replace("someone:", "nobody:")})
    why = load(tmp_path / "2" / "run.json")["degraded"]
    assert "uthentication" in why
    sync(tmp_path, url)
    assert_mirrored(tmp_path, url)
    secret = locked_server.password.encode()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes(), path
    with database(url) as db:
        for name in db.list_collection_names():
            assert not any(secret in repr(document).encode() for document in db[name].find())


def test_documents_are_those_that_sacred_itself_writes(tmp_path: Path, url: str) -> None:
    """Sacred's own observer writes run 7 of the same database, and both are of one kind."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(url)
    name = url.rpartition("/")[2]
    sacreds = MongoObserver(client=client, db_name=name)
    both = experiment(body)

    def beside(options: dict[str, Any]) -> None:
        both.observers.append(sacreds)

    both.option_hook(beside)
    both.run(options={"--runs-dir": str(tmp_path), "--loglevel": "WARNING"})
    with database(url) as db:
        db["runs"].update_one({"_id": 1}, {"$set": {"theirs": True}})
        sync(tmp_path, url)
        theirs, ours = db["runs"].find_one({"_id": 1}), db["runs"].find_one({"_id": 2})
        assert theirs.pop("theirs")
        assert set(ours) == set(theirs)
        for field in ours:
            assert type(ours[field]) is type(theirs[field]), field
        for field in ("status", "command", "result", "config", "captured_out", "format"):
            assert ours[field] == theirs[field], field
        assert set(ours["experiment"]) >= set(theirs["experiment"])
        assert theirs["info"]["data"] == ours["info"]["data"]
        for metric in ("val/dice", "train/loss"):
            one, other = (db["metrics"].find_one({"run_id": i, "name": metric}) for i in (1, 2))
            assert set(one) == set(other)
            assert [one[key] for key in ("steps", "values")] == [
                other[key] for key in ("steps", "values")
            ]
        files = gridfs.GridFS(db)
        read = [files.get(run["artifacts"][0]["file_id"]) for run in (theirs, ours)]
        assert read[0].read() == read[1].read()
        assert read[1].filename == "artifact://runs/2/pairs_val.csv"
    # Sacred's own tools find ours by what they go by, and give the next free id.
    assert MongoObserver(client=client, db_name=name, overwrite=2).overwrite == ours
    client.close()
