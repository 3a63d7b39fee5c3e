"""The local run folder as a Sacred observer: the record that everything else is made from."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sacred.observers import RunObserver

from experiments import run_folder, snapshot
from experiments.capture import as_terminal, shortened
from experiments.errors import PlainError
from experiments.guard import guarded
from experiments.metric_log import MetricLog
from experiments.plain import json_ready
from experiments.process import this_process
from experiments.records import FORMAT
from experiments.redaction import redact, redacted
from experiments.resume import ancestry
from experiments.unhurried import Unhurried
from hipreg.files import FULL, space_left

logger = logging.getLogger(__name__)

_MOST_WARNINGS = 100
_RESERVED = 1 << 16


class RunFolderError(PlainError):
    """A run cannot be recorded."""


class RunFolderObserver(RunObserver):
    """Records one run at a time under ``<root>/<id>/``, see :mod:`experiments.run_folder`.

    Attributes:
        root: the folder of all runs.
        folder: the folder of the current run; None before the first.
        run_id: the id of the current run; None before the first.
    """

    # Before any database: the folder gives the id, and its record does not wait for a server.
    priority = 100

    def __init__(self, root: Path, *, secrets: tuple[str, ...] = ()) -> None:
        """Nothing is written before a run starts.

        Args:
            root: the folder of all runs, made when the first run starts.
            secrets: texts that are hidden from every record, beside all credentials in URLs.
        """
        self.root = Path(root)
        self.folder: Path | None = None
        self.run_id: int | None = None
        self._secrets = secrets
        self.lock = threading.RLock()
        self._forget()

    def __repr__(self) -> str:
        return f"RunFolderObserver({str(self.root)!r})"

    def _forget(self) -> None:
        self._document: dict[str, Any] = {}
        self._info = Unhurried(self._write_info)
        self._captured = Unhurried(self._write_captured)
        self._told: set[str] = set()
        self._metrics = MetricLog(self.root / run_folder.METRICS)

    @property
    def active(self) -> bool:
        """Whether there is a run to record."""
        return self.folder is not None

    def complain(self, what: str, error: Exception) -> None:
        """Log that ``what`` failed, once; the run and its other records go on.

        What could not be written is kept and tried again at the next beat.
        """
        text = f"{what}: {redact(f'{type(error).__name__}: {error}', self._secrets)}"
        if text in self._told or len(self._told) >= _MOST_WARNINGS:
            return
        self._told.add(text)
        logger.warning("run %s: %s", self.run_id, text)
        self._document["warnings"].append({"time": json_ready(datetime.now(UTC)), "what": text})

    @property
    def artifacts(self) -> Path:
        """Where the files of the current run lie."""
        return self._path(run_folder.ARTIFACTS)

    # Sacred passes all of this by keyword.
    def queued_event(  # type: ignore[override]
        self, queue_time: datetime, _id: str | int | None, **about: Any
    ) -> int:
        """Make the folder of a run that is only queued, and return its id."""
        return self._open("QUEUED", _id, {"queue_time": queue_time}, about)

    def started_event(  # type: ignore[override]
        self, start_time: datetime, _id: str | int | None, **about: Any
    ) -> int:
        """Make the folder of the run and return its id.

        Args:
            start_time: UTC, naive, as Sacred gives it.
            _id: the id to take; None for the next free one.
            about: ex_info, command, host_info, config and meta_info.

        Raises:
            RunFolderError: the folder cannot be made or written, or the wanted id is taken.
        """
        return self._open("RUNNING", _id, {"start_time": start_time}, about)

    @guarded
    def heartbeat_event(
        self, info: Mapping[str, Any], captured_out: str, beat_time: datetime, result: Any
    ) -> None:
        """Bring the run document, the run's own info and the captured output up to date."""
        self._document["heartbeat"] = json_ready(beat_time)
        self._document["result"] = self._clean(result)
        # Noted first: what cannot be written now is then still there at the end.
        self._keep(self._info, info)
        self._keep(self._captured, captured_out)
        self._save_document()
        self._metrics.flush()

    @guarded
    def completed_event(self, stop_time: datetime, result: Any) -> None:
        """Close the record of a run that came to its end."""
        self._document["result"] = self._clean(result)
        self._close("COMPLETED", stop_time)

    @guarded
    def interrupted_event(self, interrupt_time: datetime, status: str) -> None:
        """Close the record of a run that was stopped, under the status it was stopped with."""
        self._close(status, interrupt_time)

    @guarded
    def failed_event(self, fail_time: datetime, fail_trace: list[str]) -> None:
        """Close the record of a run that raised, and keep the traceback."""
        self._document["fail_trace"] = self._clean(fail_trace)
        self._close("FAILED", fail_time)

    @guarded
    def resource_event(self, filename: str) -> None:
        """Note a file that the run read, with its SHA-256."""
        digest = run_folder.sha256(Path(filename))
        self._document["resources"].append({"path": str(filename), "sha256": digest})
        self._save_document()

    @guarded
    def artifact_event(
        self,
        name: str,
        filename: str,
        metadata: Mapping[str, Any] | None = None,
        content_type: str | None = None,
    ) -> None:
        """Keep a file that the run made, as ``artifacts/<name>``."""
        artifacts = self._path(run_folder.ARTIFACTS).resolve()
        target = (artifacts / name).resolve()
        if artifacts not in target.parents:
            raise ValueError(f"an artifact's name must stay below artifacts/, got {name!r}")
        source = Path(filename)
        run_folder.copy_file(source, target)
        entry = {
            "name": name,
            "path": f"{run_folder.ARTIFACTS}/{name}",
            "size": target.stat().st_size,
            "sha256": run_folder.sha256(target),
        }
        others = [known for known in self._document["artifacts"] if known["name"] != name]
        self._document["artifacts"] = [*others, entry]
        self._save_document()

    @guarded
    def log_metrics(
        self, metrics_by_name: Mapping[str, Mapping[str, Any]], info: Mapping[str, Any]
    ) -> None:
        """Append what was logged through Sacred since the last beat."""
        self._metrics.write_sacred(metrics_by_name)

    @guarded
    def write_metrics(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Append ``metrics`` now, and not at the next beat; what Sacred repeats is left out.

        Args:
            step: the epoch or iteration they belong to.
            metrics: numbers by name; tensors and numpy scalars of one element too.
        """
        self._metrics.write(step, metrics)

    @guarded
    def note(self, **entries: Any) -> None:
        """Add entries to the run document, and write it now."""
        self._document |= self._clean(entries)
        self._save_document()

    def _open(
        self, status: str, wanted: str | int | None, times: dict[str, Any], about: dict[str, Any]
    ) -> int:
        self._forget()
        self.folder = self.run_id = None
        if wanted is not None and not str(wanted).isdecimal():
            raise RunFolderError(f"a run id is a whole number, got {wanted!r}")
        try:
            self.run_id, self.folder = run_folder.create_run_folder(
                self.root, None if wanted is None else int(wanted)
            )
            self._metrics = MetricLog(self.folder / run_folder.METRICS)
            self._describe(status, times, about)
        except FileExistsError as error:
            raise RunFolderError(f"cannot record run {wanted}: {error.filename} exists") from error
        except OSError as error:
            if self.folder is not None:
                shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = self.run_id = None  # Sacred will tell of a failure: there is no record
            why = error.strerror or str(error)
            if error.errno in FULL:
                why = f"{why}: {space_left(self.root)}; free some"
            raise RunFolderError(
                f"cannot record runs under {self.root}: {why}; choose a folder that can be "
                "written with --runs-dir, or record nothing with --unobserved"
            ) from error
        return self.run_id

    def _describe(self, status: str, times: dict[str, Any], about: dict[str, Any]) -> None:
        experiment, config = about["ex_info"], about["config"]
        origin = ancestry(self.root, config)
        code = snapshot.code_version(Path(experiment.get("base_dir") or "."))
        self._document = self._clean(
            {
                "format": FORMAT,
                "id": self.run_id,
                "name": config.get("name", experiment.get("name")),
                "command": about["command"],
                "status": status,
                "heartbeat": None,
                "result": None,
                "host": {**about["host_info"], **snapshot.machine()},
                "process": this_process(),
                "parent": origin.parent,
                "lineage": [*origin.lineage, self.run_id],
                "resumed_at_epoch": None,
                "degraded": None,
                "nonfinite": {},
                "warnings": [],
                "meta": about["meta_info"],
                "experiment": experiment,
                "git": code.summary(),
                "dependencies": snapshot.dependencies(),
                "artifacts": [],
                "resources": [],
                **times,
            }
        )
        self._path(run_folder.ARTIFACTS).mkdir()
        self._path(run_folder.METRICS).touch()
        run_folder.write_json(self._path(run_folder.CONFIG), self._clean(config))
        if code.diff:
            diff = redact(code.diff, self._secrets)
            run_folder.write_text(self._path(run_folder.DIFF), diff)
        contents = {
            name: self._hidden(path.read_bytes()) for name, path in snapshot.sources().items()
        }
        files = run_folder.store_all(self.root, contents)
        run_folder.write_json(self._path(run_folder.SOURCES), files)
        run_folder.write_bytes(self._path(run_folder.RESERVE), bytes(_RESERVED))
        self._save_document()

    def _close(self, status: str, time: datetime) -> None:
        self._path(run_folder.RESERVE).unlink(missing_ok=True)
        self._document |= {"status": status, "stop_time": json_ready(time)}
        self._save_document()
        self._metrics.flush()
        self._keep(self._captured)
        self._keep(self._info)

    @guarded
    def _keep(self, kept: Unhurried, version: Any = None) -> None:
        """Note a version; write it when there is time, and in any case once the run has ended."""
        if version is not None:
            kept.keep(version)
        if "stop_time" in self._document:
            kept.finish()

    def _write_info(self, info: Any) -> None:
        if info:
            run_folder.write_json(self._path(run_folder.INFO), self._clean(info))

    def _write_captured(self, text: str) -> None:
        shown = redact(as_terminal(shortened(text)), self._secrets)
        run_folder.write_text(self._path(run_folder.CAPTURED), shown)

    def _hidden(self, content: bytes) -> bytes:
        return redact(content.decode("utf-8", "surrogateescape"), self._secrets).encode(
            "utf-8", "surrogateescape"
        )

    def _path(self, name: str) -> Path:
        assert self.folder is not None  # every caller is guarded or has just made the folder
        return self.folder / name

    def _save_document(self) -> None:
        self._document["nonfinite"] = dict(self._metrics.nonfinite)
        run_folder.write_json(self._path(run_folder.RUN), self._document)

    def _clean(self, value: Any) -> Any:
        return redacted(json_ready(value), self._secrets)
