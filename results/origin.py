"""How rows came about: the commands that repeat them, and what they ran on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.run_folder import ARTIFACTS, CONFIG, RUN
from pages.grid import NONE, Cell, Grid
from results.comparison import Comparison
from results.formats.grids import ids
from results.measurements import UNREGISTERED
from results.rows import Row
from results.runs import Run, read_run


@dataclass(frozen=True, slots=True)
class Before:
    """A kind of run that others build on.

    Attributes:
        kind: In the document of kept records the entry that says where those of the earlier run
            lie, from their root on; and the name of the folder there.
        said: The entry of a run's own document that names the weights it took.
        program: What trains one.
        entry: What tells a training which one to take.
    """

    kind: str
    said: str
    program: str
    entry: str


PRETRAINING = Before("pretraining", "started_from", "pretrain.py", "init_from")
SEGMENTATION = Before("segmentation", "guided_by", "segment.py", "segmenter")
BEFORE = (PRETRAINING, SEGMENTATION)

_PACKAGES = ("torch", "numpy", "scipy", "sacred", "optuna", "nibabel")


def origins(tables: Sequence[Comparison]) -> list[Grid]:
    """For each table the command that repeats each run of each row.

    Sacred takes a configuration file after ``with``, so that nothing of it is retyped.
    """
    heads = ("Row", "Run", "Seed", "Epochs", "Code", "Command")
    return [
        Grid(
            "How to reproduce each row",
            heads,
            tuple(
                line for row in table.rows if row.name != UNREGISTERED for line in _repeated(row)
            ),
            worded=True,
        )
        for table in tables
    ]


def _repeated(row: Row) -> Iterator[tuple[Cell, ...]]:
    """A line for each run, after those of the runs that they build on."""
    words = dict.fromkeys((item.run.id for item in row.runs), "")
    for kind in BEFORE:
        found = {item.run.id: run_before(item.run, kind) for item in row.runs}
        for folder, run in {run.folder: run for run in found.values() if run is not None}.items():
            kept = folder.parent.name == kind.kind
            number = f"{kind.kind}/{run.id}" if kept else str(run.id)
            yield _line(row, run, number, kind.program, "")
        for number, run in found.items():
            if run is not None:
                words[number] += f" {kind.entry}={kind.kind.upper()}"
    for item in row.runs:
        yield _line(row, item.run, str(item.run.id), "train.py", words[item.run.id])


def _line(row: Row, run: Run, number: str, program: str, more: str) -> tuple[Cell, ...]:
    command = f"python experiments/{program} with {_told(run.folder)}/{CONFIG}{more}"
    settings = (str(run.config.get(key, NONE)) for key in ("seed", "epochs"))
    return tuple(map(Cell, (row.method, number, *settings, run.code, command)))


def run_before(run: Run, before: Before) -> Run | None:
    """The run whose weights a run took; None without one, or if it is not here."""
    kept = run.document.get(before.kind)
    weights = (run.document.get(before.said) or {}).get("weights")
    folder = None
    if kept is not None:
        folder = run.folder.parent / str(kept)
    elif weights is not None and Path(weights).parent.name == ARTIFACTS:
        folder = Path(weights).parents[1]
    return read_run(folder) if folder is not None and (folder / RUN).is_file() else None


def _told(folder: Path) -> str:
    """A run folder's place as others find it: in the repository, or in their folder of runs."""
    root = Path(__file__).resolve().parents[1]
    inside = folder.resolve().is_relative_to(root)
    return str(folder.resolve().relative_to(root)) if inside else f"RUNS/{folder.name}"


def environment(tables: Sequence[Comparison]) -> list[Grid]:
    """Machine, Python and the packages that matter, a line for all runs that share them."""
    runs = {item.run.id: item.run for table in tables for item in table.runs}
    alike: dict[tuple[str, ...], list[Run]] = {}
    for key in sorted(runs):
        alike.setdefault(_environment(runs[key]), []).append(runs[key])
    lines = [
        tuple(map(Cell, (ids([run.id for run in group]), _days(group), *words)))
        for words, group in alike.items()
    ]
    heads = ("Runs", "Day", "Processor", "Accelerator", "Python", *_PACKAGES)
    return [Grid("Environment of each run", heads, tuple(lines))]


def _days(runs: Sequence[Run]) -> str:
    days = sorted({str(run.document.get("start_time", NONE))[:10] for run in runs})
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"


def _environment(run: Run) -> tuple[str, ...]:
    host: Mapping[str, Any] = run.document.get("host") or {}
    packages: Mapping[str, Any] = run.document.get("dependencies") or {}
    cores = host.get("cpu_count", "?")
    return (
        f"{host.get('cpu', NONE)} ({cores} core{'' if cores == 1 else 's'})" if host else NONE,
        ", ".join(host.get("gpus") or []) or "none",
        str(host.get("python_version", NONE)),
        *(str(packages.get(name, NONE)) for name in _PACKAGES),
    )
