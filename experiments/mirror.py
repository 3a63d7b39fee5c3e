"""A copy of the run record in MongoDB, for Omniboard and every other reader of Sacred's schema."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sacred.observers import RunObserver

from experiments.mongo.connect import Connection, connect, make_indexes, said
from experiments.mongo.push import RunMirror
from experiments.mongo.state import remember
from experiments.redaction import redact, secrets_of

logger = logging.getLogger(__name__)

_LAST_CHANCE = 10.0
"""Seconds that the end of a run waits for a mirror that has kept up; a third where it has not."""

_LONGEST_PAUSE = 60.0
_SHARE = 0.01  # of the time that the mirror may compute, beside the training


class Recorded(Protocol):
    """The local record that is mirrored."""

    folder: Path | None

    def note(self, **entries: Any) -> None:
        """Add entries to the run document."""
        ...


class MongoMirror(RunObserver):
    """Mirrors the local record of each run, in a thread of its own.

    What is in the run folder is all that counts: nothing is handed over and nothing waits in
    memory, so that no fault of a server can lose anything or hold up the training. A mirror that
    falls behind says so in ``run.json`` and catches up when the server is back, or later by
    :func:`experiments.sync.sync`.
    """

    priority = 20

    def __init__(self, url: str, record: Recorded) -> None:
        """Nothing is connected before a run starts.

        Args:
            url: MongoDB's URL; its path names the database.
            record: the observer that keeps the run folder; its events must come first.
        """
        self._url = url
        self._record = record
        self._thread: _Follower | None = None

    def __repr__(self) -> str:
        return f"MongoMirror({redact(self._url, secrets_of(self._url))!r})"

    # Sacred passes all of this by keyword.
    def started_event(self, _id: int | None, **about: Any) -> int | None:  # type: ignore[override]
        """Start to mirror; with no server the run goes on as without a mirror.

        Args:
            _id: the id that the run folder gave.
            about: ex_info, command, host_info, start_time, config and meta_info.
        """
        self.join()
        if self._record.folder is not None:
            self._thread = _Follower(self._url, self._record, self._record.folder)
            self._thread.start()
        return _id

    def heartbeat_event(
        self, info: Any, captured_out: str, beat_time: datetime, result: Any
    ) -> None:
        """Let the mirror look at what the run folder got since the last beat."""
        if self._thread is not None:
            self._thread.look()

    def join(self) -> None:
        """Mirror the end of the run, for some seconds at most; Sacred's last call to a run."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.finish()


class _Follower(threading.Thread):
    """Pushes one run folder until it has ended, never more often than the server bears."""

    def __init__(self, url: str, record: Recorded, folder: Path) -> None:
        super().__init__(name="mongo-mirror", daemon=True)
        self._url = url
        self._record = record
        self._mirror = RunMirror(folder)
        self._connection: Connection | None = None
        self._due = threading.Event()
        self._ending = threading.Event()
        self._given_up = threading.Event()
        self._indexed = False
        self._behind: str | None = None

    def look(self) -> None:
        """Push soon."""
        self._due.set()

    def finish(self) -> None:
        """Push for a last time, and give up when that takes too long."""
        self._ending.set()
        self._due.set()
        started = time.monotonic()
        while self.is_alive() and time.monotonic() - started < self._last_chance():
            self.join(0.1)
        if self.is_alive():
            self._given_up.set()
            self._tell(self._behind or "the server was too slow for the last of the record")

    def _last_chance(self) -> float:
        return _LAST_CHANCE / 3 if self._behind else _LAST_CHANCE

    def run(self) -> None:
        """Push at every beat, and after a failure later and later."""
        failures = 0
        while not self._given_up.is_set():
            last = self._ending.is_set()
            used = time.thread_time()
            if self._push():
                failures = 0
                if last:
                    break
                # A large record makes for rare pushes, and not for a slower training.
                rest = (time.thread_time() - used) * (1 / _SHARE - 1)
                self._ending.wait(min(rest, _LONGEST_PAUSE))
                self._due.wait()
                self._due.clear()
            else:
                failures += 1
                pause = min(2.0 ** min(failures, 10) / 2, _LONGEST_PAUSE)
                (self._given_up if last else self._ending).wait(pause)
        if self._connection is not None:
            self._connection.client.close()

    def _push(self) -> bool:
        try:
            if self._connection is None:
                self._connection = connect(self._url)
            if not self._indexed:
                make_indexes(self._connection.database)
                self._indexed = True
            self._mirror.push(self._connection.database)
        except Exception as error:
            if not self._given_up.is_set():
                self._tell(said(error, self._url))
            return False
        self._tell(None)
        return True

    def _tell(self, behind: str | None) -> None:
        """Say, once, that the mirror fell behind or caught up: in the record and in the log."""
        changed = (behind is None) != (self._behind is None)
        if changed:
            self._behind = behind
        place = self._connection.name if self._connection is not None else "MongoDB"
        try:
            if self._connection is not None:
                remember(self._mirror.folder, place, self._mirror.run_id, self._behind)
            if changed and self._record.folder == self._mirror.folder:
                self._record.note(degraded=behind and f"the mirror at {place} is behind: {behind}")
        except OSError as error:  # the disk's fault is told by the record itself
            logger.debug("the state of the mirror is not noted: %s", error)
        if not changed:
            return
        if behind:
            logger.warning("MongoDB mirror: the run is recorded in its folder only: %s", behind)
        else:
            logger.info("MongoDB mirror: up to date again")
