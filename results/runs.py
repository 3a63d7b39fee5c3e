"""Reads recorded runs; a run that is unfinished or damaged is told of and never fatal."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments import run_folder

logger = logging.getLogger(__name__)

FINISHED = "COMPLETED"

Series = list[tuple[int, float]]
"""(step, value) in the order they were logged."""


@dataclass(frozen=True)
class Run:
    """One recorded run.

    Attributes:
        id: the name of its folder.
        folder: where it lies.
        name: the configuration it stands for, the key of its row in an ablation.
        status: COMPLETED, RUNNING, FAILED, INTERRUPTED, or another word of its own.
        config: the resolved configuration.
        result: what the run returned, its best Dice on the selection pairs; None before the end.
        info: what the run said about itself.
        git: commit (None outside a repository), dirty, untracked, diff_complete.
    """

    id: int
    folder: Path
    name: str
    status: str
    config: Mapping[str, Any]
    result: float | None
    info: Mapping[str, Any]
    git: Mapping[str, Any]

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.status == FINISHED

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

    @cached_property
    def metrics(self) -> dict[str, Series]:
        """Every logged metric by name, read at the first use."""
        return read_metrics(self.folder / run_folder.METRICS)

    def pairs(self, name: str) -> Path:
        """Path of the metrics per pair and label, which need not exist.

        Args:
            name: a split ("val") or "unregistered".
        """
        return self.folder / run_folder.ARTIFACTS / f"pairs_{name}.csv"


@dataclass(frozen=True, slots=True)
class Damaged:
    """A run folder that cannot be read, and why."""

    folder: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Records:
    """All that lies under one folder of runs, by ascending id."""

    runs: tuple[Run, ...]
    damaged: tuple[Damaged, ...]


def load_runs(root: Path) -> Records:
    """Read every run folder under ``root``; none where ``root`` does not exist."""
    runs: list[Run] = []
    damaged: list[Damaged] = []
    for run_id in run_folder.run_ids(root):
        try:
            runs.append(read_run(root / str(run_id)))
        except (OSError, ValueError) as error:
            damaged.append(Damaged(root / str(run_id), str(error)))
    return Records(tuple(runs), tuple(damaged))


def read_run(folder: Path) -> Run:
    """Read one run folder, finished or not.

    Raises:
        ValueError: a document is missing or no JSON object, naming it.
    """
    document = _document(folder / run_folder.RUN)
    config = _document(folder / run_folder.CONFIG)
    info_path = folder / run_folder.INFO
    return Run(
        id=int(folder.name),
        folder=folder,
        name=str(config.get("name", document.get("name", ""))),
        status=str(document.get("status", "unknown")),
        config=config,
        result=_number(document.get("result")),
        info=_document(info_path) if info_path.exists() else {},
        git=document.get("git") or {},
    )


def read_metrics(path: Path) -> dict[str, Series]:
    """Read appended metric lines; lines that are none are left out with a warning.

    Args:
        path: a ``metrics.jsonl``; where it is missing there are no metrics.
    """
    series: dict[str, Series] = {}
    bad = 0
    if path.exists():
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    entry = json.loads(line)
                    point = int(entry["step"]), float(entry["value"])
                    series.setdefault(str(entry["name"]), []).append(point)
                except (ValueError, KeyError, TypeError):
                    bad += 1
    if bad:
        logger.warning("%s: %d damaged lines are left out", path, bad)
    return series


def _document(path: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{path.name} is missing") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"{path.name} should hold an object, got {type(loaded).__name__}")
    return loaded


def _number(value: Any) -> float | None:
    # Infinities and NaN are words in JSON.
    try:
        return None if value is None else float(value)
    except (TypeError, ValueError):
        return None
