"""The run folder on disk: where each record lies, and writes that a crash cannot tear.

::

    <runs>/<id>/
      run.json         who, when, status, result, host, code version, dependencies
      config.json      the resolved configuration
      info.json        what the run chose to say about itself
      metrics.jsonl    {"step", "time", "values": {name: number}} a line, only ever appended to
      captured.txt     what the run printed, as a terminal would show it
      uncommitted.diff what the working tree held beyond its commit
      sources.json     SHA-256 of every source file by its path
      artifacts/       checkpoints, tables and pictures
    <runs>/sources/<sha256>   the source files themselves, each content once

Documents are replaced as a whole by a rename; ids are taken by ``mkdir``, which the file system
grants to one process only. Nothing here needs Sacred, so readers can import it cheaply.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from hipreg.files import replacing

RUN = "run.json"
CONFIG = "config.json"
INFO = "info.json"
METRICS = "metrics.jsonl"
CAPTURED = "captured.txt"
DIFF = "uncommitted.diff"
SOURCES = "sources.json"
STORE = "sources"
RESERVE = ".reserve"
"""Takes up, while a run goes on, the place that the end of its record needs on a full disk."""
ARTIFACTS = "artifacts"
PRETRAINED = "pretrained"
"""The value of ``init_from`` that asks for the newest pretrained weights that fit."""

_AT_ONCE = 16
"""Files that are brought to the disk side by side."""

DEFAULT_RUNS = Path(__file__).resolve().parents[1] / "results" / "runs"
"""Where runs are recorded unless --runs-dir or HIPREG_RUNS says otherwise."""


def runs_root() -> Path:
    """The folder of all runs: HIPREG_RUNS, else ``results/runs``."""
    return Path(os.environ.get("HIPREG_RUNS") or DEFAULT_RUNS)


def run_ids(root: Path) -> list[int]:
    """The ids of all run folders under ``root``, ascending; none where there is no ``root``."""
    if not root.is_dir():
        return []
    return sorted(
        int(entry.name) for entry in root.iterdir() if entry.name.isdecimal() and entry.is_dir()
    )


def create_run_folder(root: Path, run_id: int | None = None) -> tuple[int, Path]:
    """Take a run folder that no other process has or gets.

    Args:
        root: the folder of all runs, made when missing.
        run_id: the id to take; None takes the one after the highest.

    Returns:
        The id and the new, empty folder.

    Raises:
        OSError: ``root`` cannot be written, or ``run_id`` is taken (FileExistsError).
    """
    root.mkdir(parents=True, exist_ok=True)
    if run_id is not None:
        folder = root / str(run_id)
        folder.mkdir()
        return run_id, folder
    candidate = max(run_ids(root), default=0) + 1
    while True:
        folder = root / str(candidate)
        try:
            folder.mkdir()
        except FileExistsError:  # another process was faster, or a file lies there
            candidate += 1
        else:
            return candidate, folder


def write_bytes(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``: readers see the old or the new one, never a part."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` in UTF-8, like :func:`write_bytes`."""
    write_bytes(path, text.encode("utf-8", "replace"))


def write_json(path: Path, document: Any) -> None:
    """Replace ``path`` by ``document``, which must be JSON as it is (no NaN), atomically."""
    write_text(path, json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")


def store_once(root: Path, content: bytes) -> str:
    """Keep ``content`` under ``<root>/sources`` by its SHA-256, which is returned."""
    digest = hashlib.sha256(content).hexdigest()
    path = root / STORE / digest
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, content)
    return digest


def store_all(root: Path, contents: Mapping[str, bytes]) -> dict[str, str]:
    """:func:`store_once` of many files, by name: side by side, since each waits for the disk."""
    different = list(dict.fromkeys(contents.values()))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        digests = dict(zip(different, pool.map(partial(store_once, root), different), strict=True))
    return {name: digests[content] for name, content in contents.items()}


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_file(source: Path, target: Path) -> None:
    """Copy ``source`` to ``target`` atomically; nothing to do where both are one file.

    Raises:
        OSError: ``source`` is missing or no plain file, or ``target`` cannot be written.
    """
    if target.exists() and source.samefile(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


class AppendLog:
    """A file of JSON lines that only grows, and that no failed write leaves with half a line.

    Lines that could not be written (disk full, server gone) wait in memory for the next call.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is opened before the first line."""
        self._path = path
        self._waiting: list[bytes] = []

    def append(self, records: Iterable[dict[str, Any]], *, durably: bool = False) -> None:
        """Write each of ``records`` as one line, after those that are still waiting.

        Args:
            records: JSON objects; NaN and infinities must be words already.
            durably: whether they are to be on the disk itself afterwards, for a power cut.

        Raises:
            OSError: the file cannot be written; the lines are kept for the next call.
        """
        options = orjson.OPT_APPEND_NEWLINE
        self._waiting += [orjson.dumps(record, option=options) for record in records]
        if not self._waiting:
            return
        block = b"".join(self._waiting)
        with self._path.open("ab", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            try:
                # What did not fit is tried again, for the system to say why.
                while block:
                    block = block[file.write(block) :]
                if durably:
                    os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
        self._waiting = []
