"""How rows came about: the commands that repeat them, and what they ran on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.records import read_document
from experiments.run_folder import CONFIG, RUN
from pages.grid import Cell, Grid
from results.comparison import Comparison
from results.measurements import UNREGISTERED, Evaluated

_PACKAGES = ("torch", "numpy", "scipy", "sacred", "optuna", "nibabel", "matplotlib")


def origins(tables: Sequence[Comparison]) -> list[Grid]:
    """For each table the command that repeats each run of each row.

    Sacred takes a configuration file after ``with``, so that nothing of it is retyped.
    """
    heads = ("Row", "Run", "Seed", "Epochs", "Code", "Command")
    grids = []
    for table in tables:
        lines = [
            (
                Cell(row.method),
                Cell(str(item.run.id)),
                Cell(str(item.seed)),
                Cell(str(item.run.config.get("epochs", "-"))),
                Cell(item.run.code),
                Cell(f"python experiments/train.py with {_told(item.run.folder)}/{CONFIG}"),
            )
            for row in table.rows
            if row.name != UNREGISTERED
            for item in row.runs
        ]
        grids.append(Grid("How to reproduce each row", heads, tuple(lines)))
    return grids


def _told(folder: Path) -> str:
    """A run folder's place as others find it: in the repository, or in their folder of runs."""
    root = Path(__file__).resolve().parents[1]
    inside = folder.resolve().is_relative_to(root)
    return str(folder.resolve().relative_to(root)) if inside else f"RUNS/{folder.name}"


def environment(tables: Sequence[Comparison]) -> list[Grid]:
    """Machine, Python and the packages that matter, of each run."""
    runs = {item.run.id: item for table in tables for item in table.runs}
    lines = [_environment(runs[key]) for key in sorted(runs)]
    heads = ("Run", "Time", "Processor", "Accelerator", "Python", *_PACKAGES)
    return [Grid("Environment of each run", heads, tuple(lines))]


def _environment(item: Evaluated) -> tuple[Cell, ...]:
    document = read_document(item.run.folder / RUN)
    host: Mapping[str, Any] = document.get("host") or {}
    packages: Mapping[str, Any] = document.get("dependencies") or {}
    words = [
        str(item.run.id),
        str(document.get("start_time", "-"))[:16].replace("T", " "),
        f"{host.get('cpu', '-')} ({host.get('cpu_count', '?')} cores)" if host else "-",
        ", ".join(host.get("gpus") or []) or "none",
        str(host.get("python_version", "-")),
        *(str(packages.get(name, "-")) for name in _PACKAGES),
    ]
    return tuple(map(Cell, words))
