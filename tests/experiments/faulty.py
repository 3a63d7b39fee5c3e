"""Recorded runs under faults, as programs of their own: ``python -m tests.experiments.faulty``.

Run by test_faults.py; imports no torch, because many are started at once.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sacred import Experiment
from sacred.run import Run

from experiments.tracking import configure, log_epoch, runs_dir_option


def record(body: Callable[[Run], Any], root: Path) -> None:
    """Record a run of ``body``."""
    made = Experiment("fault", save_git_info=False, additional_cli_options=[runs_dir_option])
    made.add_config(name="fault")
    configure(made)

    def main(_run: Run) -> Any:
        return body(_run)

    made.main(main)
    made.run(options={"--runs-dir": str(root), "--loglevel": "WARNING"})


def fill(folder: Path) -> Path:
    """A file that takes up all the place there is."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
    return path


def log(run: Run, epoch: int) -> None:
    """An epoch with so many numbers that they do not fit into what is left of a page."""
    log_epoch(run, epoch, {"loss": 1 / epoch, **{f"loss/{term}": 0.1 for term in range(300)}})


def full_disk(root: Path, *, freed: bool) -> None:
    """Epochs 1 to 3, a full disk, epochs 4 to 6, and perhaps a disk that was freed for 7."""

    def body(run: Run) -> None:
        for epoch in range(1, 4):
            log(run, epoch)
        filler = fill(root.parent)
        run.info["note"] = "x" * 10_000
        for epoch in range(4, 7):
            log(run, epoch)
        if freed:
            filler.unlink()
        log(run, 7)

    record(body, root)


def at_once(root: Path) -> None:
    """A run that starts when the file ``go`` is there."""
    print("ready", flush=True)
    while not (root / "go").exists():
        time.sleep(0.001)
    record(lambda run: log_epoch(run, 1, {"pid": os.getpid()}), root / "runs")


if __name__ == "__main__":
    name, folder = sys.argv[1:]
    if name == "at_once":
        at_once(Path(folder))
    elif name == "plain":
        record(lambda run: print("trained"), Path(folder))
    else:
        full_disk(Path(folder), freed=name == "freed")
