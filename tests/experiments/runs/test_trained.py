"""The command on runs that were really trained: finished, under way, killed, resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.experiments.runs.made import Command
from tests.experiments.test_train import ROOT, SMALL, command

TINY = (*SMALL, "symmetric=False", "max_cases=4")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished runs that differ in their seed."""
    root = tmp_path_factory.mktemp("trained")
    for seed in (0, 1):
        done = command(*TINY, f"seed={seed}", runs=root)
        assert done.returncode == 0, done.stdout + done.stderr
    return root


@contextmanager
def training(root: Path, *settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A training under way, which is killed at the latest at the end of the block."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "experiments" / "train.py"), *TINY, *settings],
        env={**os.environ, "HIPREG_RUNS": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for_epoch(runs: Command, epoch: int) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until:
        shown = runs("list", "--json")
        if shown.status == 0 and (shown.json[-1]["epoch"] or 0) >= epoch:
            return
        time.sleep(0.1)
    pytest.fail(f"no epoch {epoch} within five minutes")


def test_finished_run_is_listed_shown_and_compared(runs: Command, trained: Path) -> None:
    runs.root = trained
    first, second = runs("list", "--json").json
    assert (first["status"], first["epoch"], first["progress"]) == ("COMPLETED", 2, 1.0)
    assert first["metrics"]["val/dice"]["step"] == 2
    assert first["name"] == "debug"
    page = runs("show", "1").out
    assert "python experiments/train.py with debug" in page
    assert "best.pt" in page
    unlike = runs("compare", "1", "2", "--json").json
    assert unlike["config"] == {"seed": {"1": 0, "2": 1}}
    assert unlike["packages"] == {}
    assert second["config"]["seed"] == 1


def test_reproduction_repeats_the_run(runs: Command, trained: Path, tmp_path: Path) -> None:
    runs.root = trained
    shown = runs("show", "2", "--json").json
    line = next(step for step in shown["reproduce"] if step.startswith("python "))
    words = line.split()[2:]
    assert command(*words, runs=tmp_path).returncode == 0
    runs.root = tmp_path
    again = runs("show", "1", "--json").json
    for name in ("val/dice", "train/loss", "selection/hd95"):
        assert again["metrics"][name] == shown["metrics"][name], name


def test_export_of_a_trained_run_is_listed_like_it(
    runs: Command, trained: Path, tmp_path: Path
) -> None:
    runs.root = trained
    assert runs("export", "1", "2", "--to", str(tmp_path / "e")).status == 0
    columns = ("--columns", "id,name,status,epoch,best,val/dice,seed,size")
    here = runs("list", *columns).out
    runs.root = tmp_path / "e"
    assert runs("list", *columns).out == here


def test_run_is_running_then_dead_then_closed_then_resumed(runs: Command) -> None:
    with training(runs.root, "epochs=500", "save_every=1") as process:
        wait_for_epoch(runs, 3)
        shown = runs("list", "--json").json[0]
        assert shown["status"] == "RUNNING"
        assert shown["eta"] > 0
        assert "running for" in runs("show", "latest").out
        refused = runs("resume", "1")
        assert refused.status == 2
        assert "still running" in refused.err
        process.send_signal(signal.SIGKILL)
        process.wait()
    listed = runs("list")
    assert "DEAD" in listed.out
    assert "reap" in listed.err
    reaped = runs("reap")
    assert "run 1 (debug): closed as DIED" in reaped.out
    assert runs("reap").out == ""
    epoch = runs("list", "--json").json[0]["epoch"]
    assert "DIED: process" in runs("show", "1").out

    more = f"epochs={epoch + 2}"
    words = ("-R", str(runs.root), "resume", "latest", "with", more)
    done = subprocess.run(
        [sys.executable, "-m", "experiments.runs", *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (only,) = runs("list", "--json").json
    assert (only["id"], only["status"], only["lineage"]) == (2, "COMPLETED", "1>2")
    assert only["epoch"] == epoch + 2
    page = runs("show", "2")
    assert f"python experiments/train.py resume 1 with {more}" in page.out
    assert "continued by run 2" in runs("show", "1").out
    whole = runs("show", "2", "--json").json
    assert whole["metrics"]["train/loss"]["count"] == epoch + 2
    assert runs("resume", "1").status == 2


def test_entry_that_makes_another_training_is_refused_by_resume(
    runs: Command, trained: Path
) -> None:
    runs.root = trained
    shown = runs("resume", "1", "with", "seed=7")
    assert shown.status == 2
    assert "another training" in shown.err
