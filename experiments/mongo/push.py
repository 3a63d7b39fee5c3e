"""Brings the documents of one run up to its folder, and knows when they are.

Nothing is ever taken over from the database: a push may be repeated, broken off at any point, and
done by two processes at once. The run document is written last, with a digest of what the folder
held, so that a document whose digest is the folder's is the folder's in every field.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments import run_folder
from experiments.mongo.contents import (
    Artifact,
    Stamp,
    artifact,
    artifact_paths,
    sources,
    stamp_of,
)
from experiments.mongo.curves import Curves
from experiments.mongo.documents import OPTIONAL, Fields, fields_of, uuid_of
from experiments.mongo.files import remove, store
from experiments.records import RUNNING, RunRecord, read_record

_WAY_OF_MIRRORING = 1
"""Part of every digest: raise it when the documents of an unchanged folder change."""

_BETWEEN_ARTIFACTS = 60.0  # seconds; a running training replaces its checkpoint at every epoch
_FILES = {"meta.mirror.files": 1}


def digest_of(record: RunRecord, artifacts: dict[str, Stamp] | None = None) -> str:
    """What changes whenever anything of a run folder does.

    Args:
        record: the run.
        artifacts: the stamps to count its artifacts by; None for those of the files on disk.
    """
    if artifacts is None:
        artifacts = {name: stamp_of(path) for name, path in artifact_paths(record).items()}
    document = {key: value for key, value in record.document.items() if key != "degraded"}
    others = (run_folder.CONFIG, run_folder.INFO, run_folder.CAPTURED, run_folder.DIFF)
    known = {
        "way": _WAY_OF_MIRRORING,
        "run": document,
        "files": [stamp_of(record.folder / name) for name in others],
        "metrics": stamp_of(record.folder / run_folder.METRICS)[0],
        "artifacts": sorted(artifacts.items()),
    }
    text = json.dumps(known, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class RunMirror:
    """The mirror of one run folder in one database.

    Attributes:
        folder: the run folder.
        run_id: the id of its document; None before the first push. It is the folder's wherever
            that was free, and another where somebody else's run has it.
    """

    def __init__(self, folder: Path, *, thorough: bool = False) -> None:
        """Nothing is read or sent before the first push.

        Args:
            folder: the run folder.
            thorough: send files although the database lists them.
        """
        self.folder = folder
        self._thorough = thorough
        self._start_afresh()

    def _start_afresh(self) -> None:
        self.run_id: int | None = None
        self._curves: Curves | None = None
        self._sources: list[list[Any]] | None = None
        self._artifacts: dict[str, Artifact] = {}
        self._artifacts_at = -math.inf
        self._pushed = ""

    def push(self, database: Any) -> bool:
        """Bring the documents up to the folder as it is now; returns whether anything was new.

        Raises:
            ValueError: a document of the folder cannot be read.
            Exception: whatever pymongo raises; the next push takes up all that is missing.
        """
        record = read_record(self.folder)
        if digest_of(record) == self._pushed:
            return False
        try:
            if not self._push(database, record):  # somebody deleted the document, metrics and all
                self._start_afresh()
                self._push(database, record)
        except BaseException:
            self._start_afresh()  # a server that was gone may have lost what it had confirmed
            raise
        return True

    def _push(self, database: Any, record: RunRecord) -> bool:
        run_uuid = uuid_of(record.document)
        stamps = self._stamps(record)
        # Before anything is read: what changes from here on is for the next push.
        digest = digest_of(record, stamps)
        fields = fields_of(record)
        if self.run_id is None or self._curves is None:
            self.run_id = claim(database, record.id, run_uuid, fields)
            self._curves = Curves(self.folder / run_folder.METRICS, run_uuid)
        self._curves.push(database, self.run_id)
        if self._sources is None:
            found = sources(record)
            store(database, [file for _, file in found], anew=self._thorough)
            self._sources = [[name, file.key] for name, file in found]
        self._store_artifacts(database, record, stamps)
        store(database, fields.attachments, anew=self._thorough)
        saved = self._save(database, fields, self._curves.names, digest)
        self._pushed = digest if saved else ""
        return saved

    def _stamps(self, record: RunRecord) -> dict[str, Stamp]:
        """Which state of each artifact is to be stored: the last one, but not all the time."""
        now = time.monotonic()
        settled = record.status != RUNNING or now - self._artifacts_at >= _BETWEEN_ARTIFACTS
        if settled:
            self._artifacts_at = now
        stamps = {}
        for name, path in artifact_paths(record).items():
            known = self._artifacts.get(name)
            stamps[name] = stamp_of(path) if known is None or settled else known.stamp
        return stamps

    def _store_artifacts(
        self, database: Any, record: RunRecord, stamps: Mapping[str, Stamp]
    ) -> None:
        run_uuid = uuid_of(record.document)
        listed = {}
        for name, path in artifact_paths(record).items():
            known = self._artifacts.get(name)
            if known is None or known.stamp != stamps[name]:
                filename = f"artifact://runs/{self.run_id}/{name}"
                known = artifact(path, name, run_uuid=run_uuid, filename=filename)
                store(database, [known.file], anew=self._thorough)
                known = replace(known, file=replace(known.file, content=b""))
            listed[name] = known
        self._artifacts = listed

    def _save(
        self, database: Any, fields: Fields, metrics: list[dict[str, str]], digest: str
    ) -> bool:
        artifacts = [stored.entry for stored in self._artifacts.values()]
        files = [entry["file_id"] for entry in artifacts]
        files += [attached.key for attached in fields.attachments]
        values = dict(fields.values)
        values["info"] = {**values["info"], "metrics": metrics}
        values["experiment"] = {**values["experiment"], "sources": self._sources}
        values["meta"] = {**values["meta"], "mirror": {"digest": digest, "files": files}}
        values["artifacts"] = artifacts
        absent = {name: "" for name in OPTIONAL if name not in values}
        update = {"$set": values} | ({"$unset": absent} if absent else {})
        ours = {"_id": self.run_id, "meta.run_uuid": fields.values["meta"]["run_uuid"]}
        before = database["runs"].find_one_and_update(ours, update, projection=_FILES)
        if before is None:
            return False
        known = (before.get("meta") or {}).get("mirror") or {}
        remove(database, set(known.get("files") or []) - set(files))
        return True


def claim(database: Any, wanted: int, run_uuid: str, fields: Fields) -> int:
    """The id of the run's document, which is made where there is none.

    Args:
        database: where the runs are, those of other people too.
        wanted: the id to take if it is free.
        run_uuid: tells the run from others.
        fields: what a new document holds at once.
    """
    from pymongo.errors import DuplicateKeyError

    runs, candidate = database["runs"], wanted
    while True:
        found = runs.find_one({"meta.run_uuid": run_uuid}, {"_id": 1})
        if found is not None:
            return int(found["_id"])
        try:
            yet = {"artifacts": [], "info": {**fields.values["info"], "metrics": []}}
            runs.insert_one({"_id": candidate, **fields.values, **yet})
        except DuplicateKeyError:  # another run has the id, or another process was faster
            numbers = {"_id": {"$type": "number"}}
            last = runs.find_one(numbers, {"_id": 1}, sort=[("_id", -1)])
            candidate = int(last["_id"]) + 1 if last else wanted
        else:
            return candidate
