"""What the files of a run are in the database: small ones whole, large ones by where they are."""

from __future__ import annotations

import hashlib
import json
import mimetypes
import platform
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import run_folder
from experiments.mongo.files import File, id_of, md5, sha256
from experiments.records import RunRecord

LARGEST = 8 * 2**20
"""Bytes up to which a file goes into the database; a larger one stays on disk."""

Stamp = tuple[int, int]
"""Size and time of change of a file, by which an unchanged one is known; (-1, 0): missing."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact as it is in the database.

    Attributes:
        stamp: that of the file when it was read.
        entry: what stands in the run document for it.
        file: what is in GridFS for it.
    """

    stamp: Stamp
    entry: dict[str, Any]
    file: File


def stamp_of(path: Path) -> Stamp:
    """The stamp of a file, which may be missing."""
    try:
        status = path.stat()
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns


def artifact_paths(record: RunRecord) -> dict[str, Path]:
    """Where the artifacts of a run are, by name."""
    names = [str(entry["name"]) for entry in record.document.get("artifacts") or []]
    return {name: record.folder / run_folder.ARTIFACTS / name for name in names}


def artifact(path: Path, name: str, *, run_uuid: str, filename: str) -> Artifact:
    """An artifact for the database; instead of a large or missing file, a note of it.

    Args:
        path: the file, which may be missing or change while it is read.
        name: the artifact's name.
        run_uuid: the run that it belongs to alone.
        filename: its name in GridFS.
    """
    stamp = stamp_of(path)
    about: dict[str, Any] = {"path": str(path), "host": platform.node()}
    entry: dict[str, Any] = {"name": name}
    if stamp[0] < 0:
        content = _note(about, "the file is missing")
        entry = {"name": f"{name}.missing.json", "of": name, **about}
    elif stamp[0] > LARGEST:
        about |= {"size": stamp[0], "sha256": _sha256_of(path)}
        content = _note(about, f"files over {LARGEST} bytes stay on disk")
        entry = {"name": f"{name}.where.json", "of": name, **about}
    else:
        content = path.read_bytes()
    key = id_of("artifact", run_uuid, name, sha256(content))
    kind = mimetypes.guess_type(entry["name"])[0] or "application/octet-stream"
    file = File(key, filename, kind, content, {"run_uuid": run_uuid, "name": name})
    return Artifact(stamp, {**entry, "file_id": key}, file)


def sources(record: RunRecord) -> list[tuple[str, File]]:
    """The sources of a run, each with the name it goes by; one content is one file for all runs.

    A source that is no longer as it was is taken from git, and left out where git has not got it
    either. Uncommitted changes come as a source of their own.
    """
    experiment = record.document.get("experiment") or {}
    base = Path(experiment.get("base_dir") or ".")
    commit = (record.document.get("git") or {}).get("commit")
    found = []
    for name, checksum in _named(experiment.get("sources")):
        content = _content(base, name, checksum, commit)
        if content is not None:
            found.append((name, _source(content, str(base / name))))
    diff = record.folder / run_folder.DIFF
    if diff.exists():
        found.append((diff.name, _source(diff.read_bytes(), diff.name)))
    return found


def _source(content: bytes, filename: str) -> File:
    return File(id_of("source", sha256(content)), filename, "text/plain", content)


def _named(sources: Any) -> Iterator[tuple[str, str]]:
    for source in sources or []:
        if isinstance(source, (list, tuple)) and len(source) == 2:
            yield str(source[0]), str(source[1])


def _content(base: Path, name: str, checksum: str, commit: str | None) -> bytes | None:
    for read in (_from_disk, _from_git):
        content = read(base, name, commit)
        if content is not None and md5(content) == checksum:
            return content
    return None


def _from_disk(base: Path, name: str, commit: str | None) -> bytes | None:
    path = base / name
    try:
        return path.read_bytes() if path.stat().st_size <= LARGEST else None
    except OSError:
        return None


def _from_git(base: Path, name: str, commit: str | None) -> bytes | None:
    if commit is None:
        return None
    command = ["git", "--no-optional-locks", "-C", str(base), "show", f"{commit}:./{name}"]
    try:
        return subprocess.run(command, capture_output=True, timeout=10.0, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def _note(about: Mapping[str, Any], why: str) -> bytes:
    return (json.dumps({"note": why, **about}, indent=2) + "\n").encode()


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
