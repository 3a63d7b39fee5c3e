"""Brings the mirror in MongoDB up to date with the run folders, as often as one likes."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from experiments import run_folder
from experiments.errors import PlainError
from experiments.mongo.connect import Connection, connect, make_indexes, said
from experiments.mongo.contents import Stamp, stamp_of
from experiments.mongo.documents import uuid_of
from experiments.mongo.push import RunMirror, digest_of
from experiments.mongo.state import remember
from experiments.records import RUNNING, read_document, read_record

_PATIENCE = 12.0  # seconds to look for the server
_MOST_IN_A_ROW = 3  # failures, after which the server is taken for gone
_GROWING = (run_folder.RUN, run_folder.METRICS)  # whatever happens in a run changes one of them


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
    if ids is not None:
        _check(root, ids)
    connection = connect(url, patience=_PATIENCE)
    try:
        with _reachable(url, connection):
            make_indexes(connection.database)
            known = {} if thorough else digests(connection.database)
        follower = Follower(root, url, connection, known, thorough=thorough)
        return follower.look(ids, progress=progress)
    finally:
        connection.client.close()


class Follower:
    """Keeps a database up to date with a folder of runs, pass by pass."""

    def __init__(
        self,
        root: Path,
        url: str,
        connection: Connection,
        known: Mapping[str, tuple[int, str]],
        *,
        thorough: bool = False,
    ) -> None:
        """Nothing is read before the first pass.

        Args:
            root: the folder of all runs.
            url: MongoDB's URL, for what must not be said.
            connection: the database, whose indexes are made.
            known: the :func:`digests` there.
            thorough: send files although the database lists them.
        """
        self._root = root
        self._url = url
        self._connection = connection
        self._known = known
        self._thorough = thorough
        self._mirrors: dict[int, RunMirror] = {}
        self._seen: dict[int, list[Stamp]] = {}

    def look(
        self,
        ids: Sequence[int] | None = None,
        *,
        progress: bool = False,
        stopped: threading.Event | None = None,
    ) -> SyncReport:
        """Bring up to date what changed since the last pass, the newest run first.

        Args:
            ids: the runs to look at; None for all.
            progress: show a progress bar where there is a terminal.
            stopped: ends the pass after the run that it is at.

        Raises:
            PlainError: several runs in a row could not be mirrored.
        """
        report = SyncReport(self._connection.name)
        changed = {}
        for run in run_folder.run_ids(self._root) if ids is None else ids:
            stamps = [stamp_of(self._root / str(run) / name) for name in _GROWING]
            if self._seen.get(run) != stamps:
                changed[run] = stamps
        with tqdm(
            sorted(changed, reverse=True),
            unit="run",
            disable=not progress or not sys.stderr.isatty(),
            desc=f"mirroring to {self._connection.name}",
        ) as bar:
            in_a_row = 0
            for run in bar:
                if stopped is not None and stopped.is_set():
                    break
                try:
                    self._bring(run, report)
                except ValueError as error:  # the folder's own fault, or a run that just starts
                    report.failed[run] = said(error, self._url)
                except Exception as error:
                    report.failed[run] = said(error, self._url)
                    in_a_row += 1
                    if in_a_row == _MOST_IN_A_ROW:
                        why = f"stopped after {in_a_row} failures in a row"
                        raise PlainError(f"{report}\n{why}") from None
                else:
                    self._seen[run] = changed[run]
                    in_a_row = 0
        return report

    def _bring(self, run: int, report: SyncReport) -> None:
        folder = self._root / str(run)
        record = read_record(folder)
        given, digest = self._known.get(uuid_of(record.document), (None, ""))
        new = False
        if run in self._mirrors or digest != digest_of(record):
            mirror = self._mirrors.setdefault(run, RunMirror(folder, thorough=self._thorough))
            new = mirror.push(self._connection.database)
            given = mirror.run_id
        if record.status != RUNNING:  # what is over needs no memory of what was pushed
            self._mirrors.pop(run, None)
        (report.pushed if new else report.current).append(run)
        report.ids[run] = given or 0
        settle(folder, self._connection.name, given)


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
    """Note in a run folder that its mirror in ``database`` is up to date.

    The mark of a degraded run goes with the last of its mirrors that was behind. A run that is
    under way writes its own document, and notes there what its own mirror does.
    """
    with contextlib.suppress(OSError):  # folders that cannot be written can be mirrored
        behind = remember(folder, database, run_id, None)
        path = folder / run_folder.RUN
        document = read_document(path)
        if document.get("degraded") and not behind and document.get("status") != RUNNING:
            run_folder.write_json(path, {**document, "degraded": None})


def _check(root: Path, ids: Iterable[int]) -> None:
    have = run_folder.run_ids(root)
    missing = sorted(set(ids) - set(have))
    if missing:
        newest = ", ".join(map(str, have[-10:])) or "none"
        raise PlainError(f"no run {missing[0]} under {root}; the newest there: {newest}")


@contextlib.contextmanager
def _reachable(url: str, connection: Connection) -> Any:
    try:
        yield
    except Exception as error:
        raise PlainError(
            f"cannot use MongoDB at {connection.name}: {said(error, url)}; nothing was changed"
        ) from None
