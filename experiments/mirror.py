"""A copy of the run record in MongoDB, for Omniboard and every other reader of Sacred's schema."""

from __future__ import annotations

import logging
import mimetypes
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sacred.observers import MongoObserver, RunObserver

from experiments.capture import as_terminal
from experiments.guard import guarded
from experiments.plain import number, plain
from experiments.redaction import redact, redacted, secrets_of

logger = logging.getLogger(__name__)

DATABASE = "sacred"
"""The database that is used where the URL names none."""

_PATIENCE_MS = 5000


class MongoMirror(RunObserver):
    """Sacred's MongoObserver behind a guard: no fault of the server touches the run.

    The database gives its own ids; ``meta.run_folder`` says which local run a document mirrors.
    """

    priority = 20

    def __init__(self, url: str) -> None:
        """Nothing is connected before a run starts.

        Args:
            url: MongoDB's URL; its path names the database.
        """
        self.lock = threading.RLock()
        self._url = url
        self._secrets = secrets_of(url)
        self._client: Any = None
        self._mongo: Any = None  # a MongoObserver, which has no types, once it is connected
        self._metric_ids: list[dict[str, str]] = []

    def __repr__(self) -> str:
        return f"MongoMirror({redact(self._url, self._secrets)!r})"

    # Sacred passes all of this by keyword.
    def started_event(  # type: ignore[override]
        self, start_time: datetime, _id: int | None, **about: Any
    ) -> int | None:
        """Open the mirrored document; with no server the run goes on without a mirror.

        Args:
            start_time: UTC, naive, as Sacred gives it.
            _id: the id that the run folder gave.
            about: ex_info, command, host_info, config and meta_info.
        """
        self._metric_ids = []
        about["meta_info"] = {**about["meta_info"], "run_folder": _id}
        try:
            self._client = self._connect()
            database = self._client.get_default_database(DATABASE).name
            self._mongo = MongoObserver(client=self._client, db_name=database)
            self._mongo.started_event(start_time=start_time, _id=None, **self._clean(about))
        except Exception as error:
            self.join()
            self.complain("the run is recorded in its folder only", error)
        return _id

    @guarded
    def heartbeat_event(
        self, info: Mapping[str, Any], captured_out: str, beat_time: datetime, result: Any
    ) -> None:
        """Mirror the run's info, output and result."""
        self._mongo.heartbeat_event(
            info={**self._clean(info), "metrics": self._metric_ids},
            captured_out=redact(as_terminal(captured_out), self._secrets),
            beat_time=beat_time,
            result=self._clean(result),
        )

    @guarded
    def completed_event(self, stop_time: datetime, result: Any) -> None:
        """Mirror the end of a run that came to its end."""
        self._mongo.completed_event(stop_time=stop_time, result=self._clean(result))

    @guarded
    def interrupted_event(self, interrupt_time: datetime, status: str) -> None:
        """Mirror the end of a run that was stopped."""
        self._mongo.interrupted_event(interrupt_time=interrupt_time, status=status)

    @guarded
    def failed_event(self, fail_time: datetime, fail_trace: list[str]) -> None:
        """Mirror the end of a run that raised."""
        self._mongo.failed_event(fail_time=fail_time, fail_trace=self._clean(fail_trace))

    @guarded
    def resource_event(self, filename: str) -> None:
        """Mirror the note of a file that the run read."""
        self._mongo.resource_event(filename=filename)

    @guarded
    def artifact_event(
        self,
        name: str,
        filename: str,
        metadata: Mapping[str, Any] | None = None,
        content_type: str | None = None,
    ) -> None:
        """Mirror a file that the run made."""
        # Sacred prints a line into the run's output for every type that it has to guess.
        kind = content_type or mimetypes.guess_type(filename)[0] or "application/octet-stream"
        self._mongo.artifact_event(name, filename, metadata=metadata, content_type=kind)

    @guarded
    def log_metrics(
        self, metrics_by_name: Mapping[str, Mapping[str, Any]], info: Mapping[str, Any]
    ) -> None:
        """Mirror what was logged since the last beat."""
        coerced = {
            name: {**series, "values": [number(value) for value in series["values"]]}
            for name, series in metrics_by_name.items()
        }
        # Sacred adds the ids of new metrics to the info it is handed; the run's own stays as is.
        self._mongo.log_metrics(coerced, {"metrics": self._metric_ids})

    def join(self) -> None:
        """Close the connection; Sacred calls this at the end of a run."""
        with self.lock:
            if self._client is not None:
                self._client.close()
            self._client = self._mongo = None

    def _connect(self) -> Any:
        import pymongo

        return pymongo.MongoClient(
            self._url, serverSelectionTimeoutMS=_PATIENCE_MS, connectTimeoutMS=_PATIENCE_MS
        )

    def _clean(self, value: Any) -> Any:
        return redacted(plain(value), self._secrets)

    @property
    def active(self) -> bool:
        """Whether the current run has a document in the database."""
        return self._mongo is not None

    def complain(self, what: str, error: Exception) -> None:
        """Log that ``what`` failed."""
        text = redact(f"{type(error).__name__}: {error}", self._secrets)
        logger.warning("MongoDB mirror: %s: %.300s", what, text)
