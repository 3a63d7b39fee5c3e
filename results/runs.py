"""Recorded runs as tables and figures need them: what each stands for, and its whole lineage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments import records, run_folder
from experiments.records import Damaged, RunRecord
from experiments.series import Series

__all__ = ["Damaged", "Records", "Run", "Series", "load_runs", "read_run"]


@dataclass(frozen=True)
class Run:
    """One recorded run.

    Attributes:
        id: the name of its folder.
        folder: where it lies.
        name: the configuration it stands for, the key of its row in an ablation.
        status: COMPLETED, RUNNING, DEAD (killed), FAILED, INTERRUPTED, or a word of its own.
        config: the resolved configuration; where it asked for the newest pretrained weights, with
            those that were taken, which another run of the same words may not have got.
        result: what the run returned, its best Dice on the selection pairs; None before the end.
        info: what the run said about itself.
        git: commit (None outside a repository), dirty, untracked, diff_complete.
        lineage: ids of the runs that it continues, from the first on, and its own.
        continued_by: the newest finished run that continues this one; None where there is none.
    """

    id: int
    folder: Path
    name: str
    status: str
    config: Mapping[str, Any]
    result: float | None
    info: Mapping[str, Any]
    git: Mapping[str, Any]
    lineage: tuple[int, ...]
    continued_by: int | None
    _record: RunRecord

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.status == records.COMPLETED

    @property
    def dataset(self) -> str:
        """Name of the data set it was trained and evaluated on."""
        return str(self._data.get("dataset", self.config.get("dataset", "unknown")))

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the prepared data; "unknown" where the run noted none."""
        return str(self._data.get("fingerprint", "unknown"))

    @property
    def _data(self) -> Mapping[str, Any]:
        data = self.info.get("data")
        return data if isinstance(data, dict) else {}

    @property
    def code(self) -> str:
        """Short commit, with a "+" where the working tree held changes beyond it."""
        commit = self.git.get("commit")
        if not commit:
            return "no commit"
        return str(commit)[:10] + ("+" if self.git.get("dirty") else "")

    @property
    def document(self) -> Mapping[str, Any]:
        """What the record says beside configuration and metrics: times, host, packages ..."""
        return self._record.document

    @cached_property
    def metrics(self) -> dict[str, Series]:
        """Every logged metric of the run and of those that it continues, read at the first use."""
        return self._record.stitched()

    def pairs(self, name: str) -> Path:
        """Path of the metrics per pair and label, which need not exist.

        Args:
            name: a split ("val") or "unregistered".
        """
        return self.folder / run_folder.ARTIFACTS / f"pairs_{name}.csv"


@dataclass(frozen=True, slots=True)
class Records:
    """All that lies under one folder of runs, by ascending id."""

    runs: tuple[Run, ...]
    damaged: tuple[Damaged, ...]


def load_runs(root: Path) -> Records:
    """Read every run folder under ``root``; none where ``root`` does not exist."""
    runs: list[Run] = []
    found = records.read_records(root)
    damaged = list(found.damaged)
    heirs = {
        ancestor: record.id
        for record in found.runs
        if record.status == records.COMPLETED
        for ancestor in record.lineage[:-1]
    }
    for record in found.runs:
        try:
            runs.append(_run(record, heirs.get(record.id)))
        except (OSError, ValueError) as error:
            damaged.append(Damaged(record.folder, str(error)))
    return Records(tuple(runs), tuple(sorted(damaged, key=lambda item: int(item.folder.name))))


def read_run(folder: Path) -> Run:
    """Read one run folder, finished or not, without looking for a run that continues it.

    Raises:
        ValueError: a document is missing or no JSON object, naming it.
    """
    return _run(records.read_record(folder), None)


def _run(record: RunRecord, continued_by: int | None) -> Run:
    return Run(
        id=record.id,
        folder=record.folder,
        name=str(record.config.get("name", record.name)),
        status=record.shown_status,
        config=_with_weights(record),
        result=_number(record.document.get("result")),
        info=record.info,
        git=record.document.get("git") or {},
        lineage=record.lineage,
        continued_by=continued_by,
        _record=record,
    )


def _with_weights(record: RunRecord) -> Mapping[str, Any]:
    """The configuration with the pretrained weights that the lineage started from."""
    if record.config.get("init_from") != run_folder.PRETRAINED:
        return record.config
    first = record.folder.parent / str(record.lineage[0]) / run_folder.RUN
    document = record.document
    if len(record.lineage) > 1 and first.is_file():
        document = records.read_document(first)
    weights = (document.get("started_from") or {}).get("weights")
    return {**record.config, "init_from": weights or run_folder.PRETRAINED}


def _number(value: Any) -> float | None:
    # Infinities and NaN are words in JSON.
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
