"""Run folders of format 2 that tests make without a training, and the command to look at them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from experiments import run_folder
from experiments.runs.command import main

CONFIG = {"name": "sym", "epochs": 10, "seed": 0, "channel_multiplication": 2, "profile": "quick"}
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def make_run(
    root: Path,
    *,
    metrics: Sequence[Mapping[str, float | str]] = (),
    config: Mapping[str, Any] | None = None,
    first_step: int = 1,
    start: datetime = START,
    **document: Any,
) -> Path:
    """A run folder with the next free id.

    Args:
        root: the folder of all runs.
        metrics: the numbers of each epoch, logged a minute apart.
        config: entries beside the usual ones.
        first_step: the epoch of the first line.
        start: when it began.
        document: entries of ``run.json``; its status is COMPLETED where they do not say.
    """
    run_id, folder = run_folder.create_run_folder(root)
    whole = {**CONFIG, **(config or {})}
    end = start + timedelta(minutes=len(metrics))
    status = document.get("status", "COMPLETED")
    times = {"start_time": start.isoformat(), "heartbeat": end.isoformat()}
    if status != "RUNNING":
        times["stop_time"] = end.isoformat()
    run_folder.write_json(
        folder / run_folder.RUN,
        {
            "format": "hipreg run folder 2",
            "id": run_id,
            "name": whole["name"],
            "status": status,
            "experiment": {"name": "train"},
            "parent": None,
            "lineage": [run_id],
            "git": {"commit": "a" * 40, "dirty": False},
            **times,
            **document,
        },
    )
    run_folder.write_json(folder / run_folder.CONFIG, whole)
    lines = [
        {
            "step": first_step + i,
            "time": (start + timedelta(minutes=i + 1)).isoformat(),
            "values": dict(values),
        }
        for i, values in enumerate(metrics)
    ]
    run_folder.AppendLog(folder / run_folder.METRICS).append(lines)
    (folder / run_folder.ARTIFACTS).mkdir()
    return folder


def rising(epochs: int, top: float = 0.8) -> list[dict[str, float | str]]:
    """Metrics of a training that goes well: Dice up to ``top``, HD95 down."""
    return [
        {
            "val/dice": top * epoch / epochs,
            "val/hd95": 4.0 - epoch / epochs,
            "train/loss": 1 / epoch,
        }
        for epoch in range(1, epochs + 1)
    ]


@dataclass(frozen=True)
class Shown:
    """What the command answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, which is to be JSON of no more than the standard allows."""

        def refuse(word: str) -> None:
            raise AssertionError(f"{word} is no JSON")

        return json.loads(self.out, parse_constant=refuse)

    def rows(self) -> list[list[str]]:
        """The words of each line of its output."""
        return [line.split() for line in self.out.splitlines()]


class Command:
    """``python -m experiments.runs`` in this process, its output a pipe's."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root, self._capture = root, capture

    def __call__(self, *arguments: str) -> Shown:
        """Run the command; an answer that is an error must be one line."""
        self._capture.readouterr()
        status = main(["--runs-dir", str(self.root), *arguments])
        shown = Shown(status, *self._capture.readouterr())
        if status == 2:
            assert shown.err.startswith("error: ")
            assert shown.err.count("\n") == 1, shown.err
            assert shown.out == ""
        return shown
