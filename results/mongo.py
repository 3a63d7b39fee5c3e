"""Reads runs from MongoDB, in the schema of Sacred's own MongoObserver and in that of our mirror.

What tables need is laid out as run folders in a temporary place and read by the one reader that
there is, so that records give the same tables wherever they come from. Nothing is ever written to
the database.
"""

from __future__ import annotations

import json
import logging
import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments import run_folder
from experiments.redaction import redact, secrets_of
from results.runs import Records, load_runs

logger = logging.getLogger(__name__)

DATABASE = "sacred"
"""The database that is used where the URL names none."""

_PATIENCE_MS = 10_000
_FILES_AT_ONCE = 200
_TABLES = ("pairs_", ".csv")
_UNREAD = {"captured_out": 0, "experiment.sources": 0, "experiment.dependencies": 0}

# They live as long as the process, because runs are read from them when something is asked.
_PLACES: list[tempfile.TemporaryDirectory[str]] = []


def load_mongo(url: str, *, curves: bool = False) -> Records:
    """Read all runs of a database.

    Args:
        url: MongoDB's URL; its path names the database.
        curves: whether the metrics of every epoch are wanted too.

    Raises:
        ValueError: there is no such server, or it is no URL of one; says nothing of its password.
    """
    import pymongo
    from pymongo.errors import PyMongoError

    place = tempfile.TemporaryDirectory(prefix="hipreg-runs-")
    _PLACES.append(place)
    try:
        with pymongo.MongoClient(url, serverSelectionTimeoutMS=_PATIENCE_MS) as client:
            _lay_out(client.get_default_database(DATABASE), Path(place.name), curves)
    except PyMongoError as error:
        said = redact(f"{type(error).__name__}: {error}", secrets_of(url))
        raise ValueError(
            f"no runs can be read from {redact(url, secrets_of(url))}: {said:.300}; wanted the "
            "URL of a running MongoDB, as mongodb://user:password@host:port/database"
        ) from None
    return load_runs(Path(place.name))


def _lay_out(database: Any, root: Path, curves: bool) -> None:
    documents = list(database["runs"].find({}, _UNREAD).sort("_id", 1))
    tables: dict[Any, Path] = {}
    for document, number in zip(documents, run_numbers(documents), strict=True):
        _, folder = run_folder.create_run_folder(root, number)
        (folder / run_folder.ARTIFACTS).mkdir()
        info = dict(document.get("info") or {})
        # Sacred lists its metrics there, which are no word of the run's.
        info.pop("metrics", None)
        _write(folder / run_folder.RUN, {**run_document(document), "id": number})
        _write(folder / run_folder.CONFIG, document.get("config") or {})
        _write(folder / run_folder.INFO, info)
        for artifact in document.get("artifacts") or ():
            name = str(artifact.get("name", ""))
            # A name with a slash would lead out of the folder.
            if name.startswith(_TABLES[0]) and name.endswith(_TABLES[1]) and "/" not in name:
                tables[artifact["file_id"]] = folder / run_folder.ARTIFACTS / name
        if curves:
            series = database["metrics"].find({"run_id": document["_id"]})
            (folder / run_folder.METRICS).write_text(metric_lines(series), encoding="utf-8")
    _fetch(database, tables)


def run_numbers(documents: Sequence[Mapping[str, Any]]) -> list[int]:
    """The number of each run: that of its folder, or its document's where that is taken.

    Args:
        documents: of the collection ``runs``.
    """
    taken: set[int] = set()
    numbers = []
    for document in documents:
        wanted = (document.get("meta") or {}).get("run_folder")
        own = document["_id"] if isinstance(document["_id"], int) else 1
        number = int(wanted) if wanted is not None else own
        if number in taken:
            number = own if own not in taken else max(taken) + 1
            logger.warning("two runs have the number %s; one is called %d here", wanted, number)
        taken.add(number)
        numbers.append(number)
    return numbers


def run_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """``run.json`` of a document; what Sacred has no place for is in our mirror's ``meta``."""
    known = dict((document.get("meta") or {}).get("record") or {})
    experiment = document.get("experiment") or {}
    repositories = experiment.get("repositories") or [{}]
    git = {"commit": repositories[0].get("commit"), "dirty": bool(repositories[0].get("dirty"))}
    known.setdefault("git", git)
    known.setdefault("name", experiment.get("name", ""))
    for key in ("status", "result", "host", "command", "start_time", "stop_time"):
        if document.get(key) is not None:
            known[key] = document[key]
    return known


def metric_lines(series: Iterable[Mapping[str, Any]]) -> str:
    """The lines of ``metrics.jsonl``: one a step, with all that was logged at it."""
    steps: dict[int, dict[str, Any]] = {}
    for one in series:
        for step, value in zip(one["steps"], one["values"], strict=False):
            steps.setdefault(int(step), {})[one["name"]] = _plain(value)
    return "".join(
        json.dumps({"step": step, "time": "", "values": steps[step]}) + "\n"
        for step in sorted(steps)
    )


def _fetch(database: Any, tables: Mapping[Any, Path]) -> None:
    """Write many small files of GridFS, some hundreds a question."""
    keys = list(tables)
    for start in range(0, len(keys), _FILES_AT_ONCE):
        part = keys[start : start + _FILES_AT_ONCE]
        pieces: dict[Any, dict[int, bytes]] = {key: {} for key in part}
        for chunk in database["fs.chunks"].find({"files_id": {"$in": part}}):
            pieces[chunk["files_id"]][chunk["n"]] = chunk["data"]
        for key, content in pieces.items():
            if content:
                tables[key].write_bytes(b"".join(content[n] for n in sorted(content)))


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(_plain(document), allow_nan=False), encoding="utf-8")


def _plain(value: Any) -> Any:
    """What BSON has and JSON has not, as our run folders write it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
