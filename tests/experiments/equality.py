"""Whether the documents of a database are the run folders, read without the mirror's own code.

Its name for a run's document is all that is taken from there.
"""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gridfs
from bson import ObjectId

from experiments.mongo.documents import uuid_of
from experiments.records import read_record
from tests.experiments.servers import database

LARGEST = 8 * 2**20
IN_THEIR_PLACE = {"command", "status", "host", "fail_trace", "meta", "experiment"}
TIMES = {"start_time", "stop_time", "heartbeat"}


def assert_mirrored(root: Path, url: str) -> None:
    """Every run folder under ``root`` has one document that equals it, field by field."""
    folders = [folder for folder in root.iterdir() if folder.name.isdecimal()]
    with database(url) as db:
        for folder in folders:
            wanted = uuid_of(read_record(folder).document)  # the server may be shared
            found = list(db["runs"].find({"meta.run_uuid": wanted}))
            assert len(found) == 1, f"{len(found)} documents for {folder}"
            _assert_documents(folder, found[0], db)
            _assert_metrics(folder, found[0], db)
            _assert_files(folder, found[0], gridfs.GridFS(db))


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return loaded


def _assert_documents(folder: Path, run: dict[str, Any], db: Any) -> None:
    local = load(folder / "run.json")
    for name in IN_THEIR_PLACE & set(local):
        have = run[name]
        if name == "experiment":
            have = {**have, "sources": local[name]["sources"]}
            have["repositories"] = local[name]["repositories"]
        if name == "meta":
            ours = ("record", "mirror", "run_folder", "run_uuid")
            have = {key: value for key, value in have.items() if key not in ours}
        assert have == renamed(local[name]), name
    for name in TIMES & set(local):
        if local[name] is None:
            assert run[name] is None
        else:
            expected = datetime.fromisoformat(local[name]).timestamp()
            assert abs(run[name].replace(tzinfo=UTC).timestamp() - expected) < 0.001, name
    assert same(run["result"], local["result"])
    assert ("stop_time" in run) == ("stop_time" in local)
    taken = IN_THEIR_PLACE | TIMES | {"result", "artifacts", "resources", "degraded"}
    rest = {key: value for key, value in local.items() if key not in taken}
    assert run["meta"]["record"] == renamed(rest)
    assert whole(db, run["config"]) == renamed(load(folder / "config.json"))
    info = {key: value for key, value in run["info"].items() if key != "metrics"}
    assert whole(db, info) == renamed(load(folder / "info.json"))
    captured = folder / "captured.txt"
    assert run["captured_out"] == (captured.read_text() if captured.exists() else "")
    assert run["resources"] == [[one["path"], one["sha256"]] for one in local["resources"]]


def _assert_metrics(folder: Path, run: dict[str, Any], db: Any) -> None:
    expected: dict[str, list[tuple[int, float, str]]] = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        entry = json.loads(line)
        values = entry.get("values") or {entry["name"]: entry["value"]}
        for name, value in values.items():
            point = (entry["step"], float(value), entry["time"])
            expected.setdefault(name, []).append(point)
    listed = {metric["name"]: metric["id"] for metric in run["info"]["metrics"]}
    found = {metric["name"]: metric for metric in db["metrics"].find({"run_id": run["_id"]})}
    assert set(found) == set(expected) == set(listed)
    for name, points in expected.items():
        metric = found[name]
        assert str(metric["_id"]) == listed[name]
        assert metric["steps"] == [step for step, _, _ in points], name
        assert all(isinstance(value, float) for value in metric["values"])
        assert same(metric["values"], [value for _, value, _ in points]), name
        times = [time.replace(tzinfo=UTC).timestamp() for time in metric["timestamps"]]
        for have, (_, _, time) in zip(times, points, strict=True):
            assert abs(have - datetime.fromisoformat(time).timestamp()) < 0.001


def _assert_files(folder: Path, run: dict[str, Any], fs: gridfs.GridFS) -> None:
    stored = {entry["name"]: fs.get(entry["file_id"]).read() for entry in run["artifacts"]}
    assert len(stored) == len(load(folder / "run.json")["artifacts"])
    for entry in load(folder / "run.json")["artifacts"]:
        path = folder / "artifacts" / entry["name"]
        if path.stat().st_size <= LARGEST:
            assert stored[entry["name"]] == path.read_bytes(), path
            continue
        note = json.loads(stored[f"{entry['name']}.where.json"])
        assert note["path"] == str(path)
        assert note["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    checksums = load(folder / "sources.json")
    have = {name: fs.get(key).read() for name, key in run["experiment"]["sources"]}
    diff = have.pop("uncommitted.diff", None)
    assert {
        name: hashlib.sha256(content).hexdigest() for name, content in have.items()
    } == checksums
    local = folder / "uncommitted.diff"
    assert diff == (local.read_bytes() if local.exists() else None)


def whole(db: Any, value: dict[str, Any]) -> Any:
    """``value`` itself, or what its note of a larger one in GridFS stands for."""
    if "note" in value and "file_id" in value:
        return json.loads(gridfs.GridFS(db).get(ObjectId(value["file_id"])).read())
    return value


def renamed(value: Any) -> Any:
    """``value`` with its keys as Sacred stores them."""
    if isinstance(value, dict):
        return {key.replace(".", ","): renamed(item) for key, item in value.items()}
    return [renamed(item) for item in value] if isinstance(value, list) else value


def same(have: Any, expected: Any) -> bool:
    """Equality for which NaN equals NaN, and words for what JSON lacks are numbers."""
    if isinstance(expected, list):
        return len(have) == len(expected) and all(map(same, have, expected))
    if expected in ("NaN", "Infinity", "-Infinity"):
        expected = float(expected)
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(have, float) and math.isnan(have)
    return bool(have == expected)
