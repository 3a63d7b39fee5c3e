"""The metrics of a run in the database: whole at first, and then what was added since."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from bson import ObjectId

from experiments.mongo.documents import moment
from experiments.mongo.files import id_of
from experiments.records import read_lines

logger = logging.getLogger(__name__)

MOST_POINTS = 250_000
"""Points of one metric in the database: about 12 MB of the 16 that a document may have."""

_DOCUMENTS_AT_ONCE = 50
_DUPLICATE = 11000  # MongoDB's code for an id that is taken


@dataclass(slots=True)
class _Points:
    """Points of one metric that are to be sent."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    timestamps: list[datetime | None] = field(default_factory=list)

    def cut(self, most: int) -> dict[str, list[Any]]:
        return {
            "steps": self.steps[:most],
            "values": self.values[:most],
            "timestamps": self.timestamps[:most],
        }


class Curves:
    """Follows one ``metrics.jsonl``, which only grows, into the metrics of one run document."""

    def __init__(self, path: Path, run_uuid: str) -> None:
        """Nothing is read before the first push."""
        self._path = path
        self._uuid = run_uuid
        self._forget()

    def _forget(self) -> None:
        self._size = -1
        self._lines = 0
        self._counts: dict[str, int] = {}

    @property
    def names(self) -> list[dict[str, str]]:
        """Sacred's ``info.metrics``: name and id of every metric that was pushed."""
        return [{"name": name, "id": str(self._key(name))} for name in self._counts]

    def push(self, database: Any, run_id: int) -> None:
        """Bring the metrics of document ``run_id`` up to the file.

        What somebody else wrote meanwhile is seen by the number of points, and the metrics are
        then written whole. After an exception this object knows nothing for certain: take a new
        one.
        """
        size = self._path.stat().st_size if self._path.exists() else 0
        if size == self._size:
            return
        if not self._push(database, run_id):
            self._forget()
            self._push(database, run_id)
        self._size = size

    def _push(self, database: Any, run_id: int) -> bool:
        whole = self._lines == 0
        lines, points = self._read()
        new = [name for name in points if name not in self._counts]
        grown = [name for name in points if name in self._counts]
        _replace(database["metrics"], [self._whole(run_id, name, points[name]) for name in new])
        added = [self._added(run_id, name, points[name]) for name in grown]
        matched = _update(database["metrics"], added)
        for name, series in points.items():
            self._counts[name] = min(self._counts.get(name, 0) + len(series.steps), MOST_POINTS)
        self._lines += lines
        if whole:
            ours = [self._key(name) for name in self._counts]
            database["metrics"].delete_many({"run_id": run_id, "_id": {"$nin": ours}})
        return matched == len(added)

    def _read(self) -> tuple[int, dict[str, _Points]]:
        points: dict[str, _Points] = {}
        lines = 0
        for line in islice(read_lines(self._path), self._lines, None):
            lines += 1
            time = moment(line.time) if line.time else None
            for name, value in line.values.items():
                series = points.setdefault(name, _Points())
                series.steps.append(line.step)
                series.values.append(float(value))
                series.timestamps.append(time)
        return lines, points

    def _whole(self, run_id: int, name: str, points: _Points) -> dict[str, Any]:
        if len(points.steps) > MOST_POINTS:
            logger.warning("%s: %s is cut after %d points", self._path, name, MOST_POINTS)
        about = {"_id": self._key(name), "run_id": run_id, "name": name}
        return {**about, **points.cut(MOST_POINTS)}

    def _added(self, run_id: int, name: str, points: _Points) -> Any:
        from pymongo import UpdateOne

        known = self._counts[name]
        columns = points.cut(MOST_POINTS - known)
        pushed = {column: {"$each": values} for column, values in columns.items()}
        unchanged = {"_id": self._key(name), "run_id": run_id, "steps": {"$size": known}}
        return UpdateOne(unchanged, {"$push": pushed})

    def _key(self, name: str) -> ObjectId:
        return id_of("metric", self._uuid, name)


def _replace(metrics: Any, documents: list[dict[str, Any]]) -> None:
    """Bring ``documents`` into the collection; inserting is many times quicker than replacing."""
    from pymongo import ReplaceOne

    for start in range(0, len(documents), _DOCUMENTS_AT_ONCE):
        part = {document["_id"]: document for document in documents[start:][:_DOCUMENTS_AT_ONCE]}
        known = {found["_id"] for found in metrics.find({"_id": {"$in": list(part)}}, {"_id": 1})}
        known |= _insert(metrics, [part[key] for key in part if key not in known])
        requests = [ReplaceOne({"_id": key}, part[key], upsert=True) for key in known]
        if requests:
            metrics.bulk_write(requests, ordered=False)


def _insert(metrics: Any, documents: list[dict[str, Any]]) -> set[Any]:
    """Insert ``documents``, and return the ids that another process has inserted meanwhile."""
    from pymongo.errors import BulkWriteError

    if not documents:
        return set()
    try:
        metrics.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        failed = error.details["writeErrors"]
        if any(one["code"] != _DUPLICATE for one in failed):
            raise
        return {one["op"]["_id"] for one in failed}
    return set()


def _update(metrics: Any, requests: list[Any]) -> int:
    """Send ``requests``, and return how many found their document."""
    matched = 0
    for start in range(0, len(requests), _DOCUMENTS_AT_ONCE):
        part = requests[start:][:_DOCUMENTS_AT_ONCE]
        matched += metrics.bulk_write(part, ordered=False).matched_count
    return matched
