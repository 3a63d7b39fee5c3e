"""Omniboard as a user starts it, over runs that the tests recorded."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sacred.run import Run

from experiments.tracking import artifacts_folder, log_epoch
from tests.experiments.equality import load
from tests.experiments.servers import database, free_port
from tests.experiments.test_tracking import ROOT, record


@dataclass
class Board:
    """A running ``python -m experiments.omniboard``."""

    process: subprocess.Popen[str]
    root: Path
    address: str

    @property
    def url(self) -> str:
        """The URL of its own database."""
        return str(load(self.root / ".omniboard" / "open.json")["database"]) + "sacred"


@contextlib.contextmanager
def serving(root: Path, *options: str, ends_with: int = 0, **environment: str) -> Iterator[Board]:
    """Omniboard over ``root``; ended by SIGINT, as Ctrl-C does it, if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.omniboard", "--runs-dir", str(root), *options],
        cwd=ROOT,
        env={**os.environ, "HIPREG_MONGO_URL": "", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = ""
        while not (found := re.search(r"http://\S+", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        yield Board(process, root, found[0])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        status = process.wait(timeout=60)
        process.stdout.close()
    assert status == ends_with


def body(run: Run) -> float:
    folder = artifacts_folder(run)
    assert folder is not None
    for epoch in range(5):
        dice, loss = 0.5 + epoch / 100, 1 / (epoch + 1)
        log_epoch(run, epoch, {"val/dice": dice, "val/hd95": 4 - epoch / 10, "train/loss": loss})
    log_epoch(run, 5, {"train/loss": float("nan")})
    (folder / "pairs_val.csv").write_text("pair,dice\n1,0.54\n")
    run.add_artifact(folder / "pairs_val.csv")
    return 0.54


def failing(run: Run) -> None:
    raise ValueError("no such case: 999")


def wait(condition: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.1)


def record_two(root: Path) -> None:
    """Record a run that ends well, and one that does not."""
    record(body, root)
    with pytest.raises(ValueError, match="999"):
        record(failing, root)


@contextlib.contextmanager
def open_board(root: Path) -> Iterator[Board]:
    """Omniboard over two runs, once both are mirrored."""
    record_two(root)
    with serving(root, "--port", str(free_port())) as started:
        with database(started.url) as db:
            wait(lambda: db["runs"].count_documents({"meta.mirror": {"$exists": True}}) == 2)
        yield started
