"""Brings the mirror in MongoDB up to date with the run folders, as often as one likes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from experiments import run_folder
from experiments.errors import PlainError
from experiments.mongo.connect import Connection, connect, make_indexes, said
from experiments.mongo.documents import uuid_of
from experiments.mongo.push import RunMirror, digest_of
from experiments.mongo.state import remember
from experiments.records import RUNNING, RunRecord, read_document, read_record, read_records

_PATIENCE = 12.0  # seconds to look for the server
_MOST_IN_A_ROW = 3  # failures, after which the server is taken for gone


@dataclass(slots=True)
class SyncReport:
    """What a synchronisation did.

    Attributes:
        database: host and name, without credentials.
        pushed: the runs whose documents were brought up to date, newest first.
        current: the runs whose documents were up to date.
        failed: why a run could not be mirrored, by run.
        ids: the id of each run's document.
    """

    database: str
    pushed: list[int] = field(default_factory=list)
    current: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    ids: dict[int, int] = field(default_factory=dict)

    @property
    def moved(self) -> dict[int, int]:
        """The runs whose documents have another id than their folder, because it was taken."""
        return {run: given for run, given in self.ids.items() if run != given}

    def __str__(self) -> str:
        lines = [
            f"{self.database}: {len(self.pushed)} runs brought up to date, "
            f"{len(self.current)} already were"
        ]
        lines += [f"run {run} has the id {given} there" for run, given in self.moved.items()]
        lines += [f"run {run} failed: {why}" for run, why in self.failed.items()]
        return "\n".join(lines)


def sync(
    root: Path,
    url: str,
    ids: Sequence[int] | None = None,
    progress: bool = True,
    *,
    thorough: bool = False,
) -> SyncReport:
    """Make the documents of the database equal the run folders, whatever happened to them.

    Runs of other people in the same database are left alone, and so are documents of run folders
    that are gone.

    Args:
        root: the folder of all runs.
        url: MongoDB's URL.
        ids: the runs to bring up to date; None for all.
        progress: show a progress bar where there is a terminal.
        thorough: also write anew what is known to be up to date.

    Raises:
        PlainError: the URL cannot be used, its server not be reached, or a wanted run not be read.
    """
    records, damaged = _wanted(root, ids)
    connection = connect(url, patience=_PATIENCE)
    try:
        with _reachable(url, connection):
            make_indexes(connection.database)
            known = {} if thorough else digests(connection.database)
        report = SyncReport(connection.name, failed=damaged)
        bar = tqdm(
            sorted(records, key=lambda record: -record.id),
            unit="run",
            disable=not progress or not sys.stderr.isatty(),
            desc=f"mirroring to {connection.name}",
        )
        _push_all(bar, url, connection, known, report)
    finally:
        connection.client.close()
    return report


def digests(database: Any) -> dict[str, tuple[int, str]]:
    """Id and digest of every mirrored run by its uuid."""
    wanted = {"meta.run_uuid": 1, "meta.mirror.digest": 1}
    found = database["runs"].find({"meta.run_uuid": {"$exists": True}}, wanted)
    return {
        run["meta"]["run_uuid"]: (
            int(run["_id"]),
            (run["meta"].get("mirror") or {}).get("digest", ""),
        )
        for run in found
    }


def settle(folder: Path, database: str, run_id: int | None) -> None:
    """Note in a run folder that its mirror is up to date.

    A run that is under way writes its own document, and notes there what its own mirror does.
    """
    with contextlib.suppress(OSError):  # folders that cannot be written can be mirrored
        remember(folder, database, run_id, None)
        path = folder / run_folder.RUN
        document = read_document(path)
        if document.get("degraded") and document.get("status") != RUNNING:
            run_folder.write_json(path, {**document, "degraded": None})


def _wanted(root: Path, ids: Sequence[int] | None) -> tuple[list[RunRecord], dict[int, str]]:
    if ids is None:
        records = read_records(root)
        return list(records.runs), {int(bad.folder.name): bad.reason for bad in records.damaged}
    try:
        return [read_record(root / str(run)) for run in ids], {}
    except ValueError as error:
        have = ", ".join(map(str, run_folder.run_ids(root)[-10:])) or "none"
        raise PlainError(f"no such run under {root}: {error}; newest there: {have}") from error


def _push_all(
    records: Iterable[RunRecord],
    url: str,
    connection: Connection,
    known: Mapping[str, tuple[int, str]],
    report: SyncReport,
) -> None:
    in_a_row = 0
    for record in records:
        given, digest = known.get(uuid_of(record.document), (None, ""))
        if given is not None and digest == digest_of(record):
            report.current.append(record.id)
            report.ids[record.id] = given
            settle(record.folder, connection.name, given)
            continue
        mirror = RunMirror(record.folder)
        try:
            mirror.push(connection.database)
        except Exception as error:
            report.failed[record.id] = said(error, url)
            in_a_row += 1
            if in_a_row == _MOST_IN_A_ROW:
                raise PlainError(f"{report}\nstopped after {in_a_row} failures in a row") from None
            continue
        in_a_row = 0
        report.pushed.append(record.id)
        report.ids[record.id] = mirror.run_id or 0
        settle(record.folder, connection.name, mirror.run_id)


@contextlib.contextmanager
def _reachable(url: str, connection: Connection) -> Any:
    try:
        yield
    except Exception as error:
        raise PlainError(
            f"cannot use MongoDB at {connection.name}: {said(error, url)}; nothing was changed"
        ) from None
