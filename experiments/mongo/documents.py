"""What a run folder's documents are in Sacred's schema; nothing here talks to a database.

Sacred has a place for most of ``run.json``; the rest goes below ``meta.record``, as it is.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson

from experiments import run_folder
from experiments.capture import shortened
from experiments.mongo.files import File, id_of, sha256
from experiments.records import RunRecord

FORMAT = "MongoObserver-0.7.0"
"""The version of Sacred's schema; its readers look at it."""

FIELD_LIMIT = 500_000
"""Bytes of one field; a larger one goes to GridFS. MongoDB takes 16 MB for all of a document."""

_NAMESPACE = uuid.UUID("6f1c2f64-30d5-4f0e-9d5e-3a4a2b3f6c11")
OPTIONAL = ("start_time", "stop_time", "queue_time", "fail_trace")
"""Fields that not every run has."""

_DEEPEST = 60  # MongoDB nests up to 100 levels
_TIMES = ("start_time", "stop_time", "heartbeat", "queue_time")
_SACREDS_OWN = {
    *("command", "status", "result", "host", "fail_trace", "resources", "artifacts"),
    *("meta", "experiment", *_TIMES),
}
# How the mirror is doing is no part of what it mirrors.
_NOT_MIRRORED = {"degraded"}


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a run document, apart from its id, sources, artifacts and list of metrics.

    Attributes:
        values: by name, each at most :data:`FIELD_LIMIT` bytes.
        attachments: what was too large for its field.
    """

    values: dict[str, Any]
    attachments: list[File] = field(default_factory=list)


def uuid_of(document: Mapping[str, Any]) -> str:
    """What tells a run from every other one, wherever its folder goes: who started it and when.

    Args:
        document: ``run.json``.
    """
    host, process = document.get("host") or {}, document.get("process") or {}
    started = document.get("start_time") or document.get("queue_time")
    known = [started, host.get("hostname"), process.get("pid", host.get("pid"))]
    known += [document.get("id"), document.get("kept_from")]
    return str(uuid.uuid5(_NAMESPACE, json.dumps(known)))


def fields_of(record: RunRecord) -> Fields:
    """What the documents of a run folder are in Sacred's schema.

    Raises:
        ValueError: a document of the folder cannot be read.
    """
    document, run_uuid = record.document, uuid_of(record.document)
    rest = {
        key: value
        for key, value in document.items()
        if key not in _SACREDS_OWN and key not in _NOT_MIRRORED
    }
    # What follows is ours and not the run's own meta, whatever that holds.
    ours = {"run_folder": record.id, "run_uuid": run_uuid, "record": rest}
    values = {
        "format": FORMAT,
        "command": document.get("command"),
        "status": record.status,
        "config": record.config,
        "info": record.info,
        "result": _result(document.get("result")),
        "host": document.get("host") or {},
        "meta": {**(document.get("meta") or {}), **ours},
        "experiment": _experiment(document),
        "resources": [
            [entry.get("path"), entry.get("sha256")] for entry in document.get("resources") or []
        ],
        "heartbeat": None,
    }
    if "fail_trace" in document:
        values["fail_trace"] = document["fail_trace"]
    values |= {key: moment(document[key]) for key in _TIMES if document.get(key)}
    fields = _fitting(run_uuid, {key: storable(value) for key, value in values.items()})
    fields.values["captured_out"] = shortened(_text(record.folder / run_folder.CAPTURED))
    return fields


def storable(value: Any, depth: int = 0) -> Any:
    """``value`` with keys and numbers that BSON takes, renamed as Sacred does it.

    Args:
        value: what JSON can hold, or a time.
        depth: how far down it is.
    """
    if depth > _DEEPEST:
        return repr(value)[:1000]
    if isinstance(value, Mapping):
        return {_key(key): storable(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable(item, depth + 1) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value


def moment(time: str) -> datetime:
    """An ISO 8601 time as Sacred stores it: UTC that does not say so, to the millisecond."""
    aware = datetime.fromisoformat(time)
    utc = aware.astimezone(UTC).replace(tzinfo=None) if aware.tzinfo else aware
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def _fitting(run_uuid: str, values: dict[str, Any]) -> Fields:
    attachments = []
    for name, value in values.items():
        if len(bson.encode({"": value})) <= FIELD_LIMIT:
            continue
        content = json.dumps(value, indent=1, sort_keys=True, default=str).encode()
        digest = sha256(content)
        key = id_of("attachment", run_uuid, name, digest)
        filename, owner = f"record://{name}.json", {"run_uuid": run_uuid}
        attachments.append(File(key, filename, "application/json", content, owner))
        note = f"too large for a document: {len(content)} bytes, whole in GridFS and in run.json"
        # As a word: readers of Sacred's info make JSON of it.
        about = {"file_id": str(key), "bytes": len(content), "sha256": digest}
        values[name] = {"note": note, **about}
        if name == "meta":  # by these the mirror finds its own document again
            values[name] |= {"run_folder": value["run_folder"], "run_uuid": run_uuid}
    return Fields(values, attachments)


def _experiment(document: Mapping[str, Any]) -> dict[str, Any]:
    described = {
        **{"name": document.get("name"), "base_dir": "", "mainfile": None},
        **{"repositories": [], "dependencies": []},
        **(document.get("experiment") or {}),
    }
    described["sources"] = []
    git = document.get("git") or {}
    if not described["repositories"] and git.get("commit"):
        known = {"url": None, "commit": git["commit"], "dirty": bool(git.get("dirty"))}
        described["repositories"] = [known]
    return described


def _result(result: Any) -> Any:
    words = {"NaN", "Infinity", "-Infinity"}
    return float(result) if isinstance(result, str) and result in words else result


def _key(key: str) -> str:
    renamed = str(key).replace(".", ",").replace("\0", "")
    return f"@{renamed[1:]}" if renamed.startswith("$") else renamed


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
