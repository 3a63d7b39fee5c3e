"""Whatever goes wrong around a run, nothing that was written is lost, and its end is told."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sacred.run import Run

from experiments.records import read_record, read_records
from experiments.run_folder import run_ids
from experiments.tracking import log_epoch
from tests.experiments.test_tracking import ROOT, document, record
from tests.experiments.test_train import SMALL
from tests.helpers import skip_or_fail

PAGE = 4096
"""Bytes that a file on the small disk takes at least."""

RESERVE = 64 * 1024
"""Bytes that a run keeps for its end."""

FAULTY = f"{sys.executable} -W ignore -m tests.experiments.faulty"


def on_small_disk(
    disk: Path, script: str, *, size: str = "4m"
) -> subprocess.CompletedProcess[str]:
    """Run a shell script where ``disk`` is a disk of ``size``; what is on it is copied beside it.

    The disk is in memory and in a name space of its own, which goes with the script.
    """
    if shutil.which("unshare") is None:
        skip_or_fail("there is no unshare to make a small disk with")
    disk.mkdir()
    kept = disk.with_name("kept")
    mount = f"mount -t tmpfs -o size={size} tmpfs {disk}"
    whole = f"{mount} || exit 77\n{script}\ncode=$?\ncp -r {disk} {kept}\nexit $code"
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", whole],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode == 77 or "unshare failed" in done.stderr:
        skip_or_fail(f"no small disk can be mounted here: {done.stderr}")
    return done


@pytest.mark.parametrize("how", ["freed", "full"])
def test_full_disk_is_told_once_and_costs_no_epoch(tmp_path: Path, how: str) -> None:
    disk = tmp_path / "disk"
    done = on_small_disk(disk, f"{FAULTY} {how} {disk}/runs")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("write_metrics: OSError: [Errno 28] No space left") == 1
    run = read_record(tmp_path / "kept" / "runs" / "1")
    # On the disk that stays full, the reserve holds the end of the document and what waited.
    assert [step for step, _ in run.metrics()["loss"]] == [1, 2, 3, 4, 5, 6, 7]
    assert run.status == "COMPLETED"
    assert "No space left" in run.document["warnings"][0]["what"]
    assert not (run.folder / ".reserve").exists()


TRAIN = f"{sys.executable} experiments/train.py"
SETTINGS = " ".join((*SMALL, "epochs=2", "save_every=1"))


@pytest.fixture(scope="module")
def needed(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, int]:
    """Bytes on the disk of a training's documents, and of a checkpoint."""
    plain = tmp_path_factory.mktemp("plain")
    subprocess.run([*TRAIN.split(), "-R", str(plain), *SETTINGS.split()], cwd=ROOT, check=True)
    documents = sum(
        -(-path.stat().st_size // PAGE) * PAGE
        for path in plain.rglob("*")
        if path.is_file() and path.parent.name != "artifacts"
    )
    return documents, (plain / "1" / "artifacts" / "last.pt").stat().st_size


@pytest.mark.parametrize(("checkpoints", "epochs"), [(0.5, [1]), (2.5, [1, 2])])
def test_training_on_a_full_disk_ends_with_one_error_and_can_go_on_elsewhere(
    tmp_path: Path, needed: tuple[int, int], checkpoints: float, epochs: list[int]
) -> None:
    """Half a checkpoint fits beside the documents; or one and the best one, and not the next."""
    disk = tmp_path / "disk"
    documents, checkpoint = needed
    size = f"{(documents + RESERVE + int(checkpoints * checkpoint)) // 1024}k"
    done = on_small_disk(disk, f"{TRAIN} -R {disk}/runs {SETTINGS}", size=size)
    assert done.returncode == 1
    error = done.stderr.strip().splitlines()[-1]
    assert re.search(r"cannot be written: .*; 0\.\d of \d\.\d MB are free on \S*/disk;", error)
    assert f"train.py resume 1 --runs-dir {disk}/runs" in error
    assert "Traceback" not in done.stderr
    run = read_record(tmp_path / "kept" / "runs" / "1")
    assert run.status == "FAILED"
    assert [step for step, _ in run.metrics()["train/loss"]] == epochs
    assert run.info["data"]
    assert "training on" in (run.folder / "captured.txt").read_text()


def test_disk_that_is_full_before_a_run_is_one_clear_error(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    done = on_small_disk(disk, f"{TRAIN} -R {disk}/runs {SETTINGS}", size="600k")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (error,) = [line for line in done.stderr.splitlines() if "cannot record" in line]
    assert f"cannot record runs under {disk}/runs: No space left on device" in error
    assert re.search(rf"0\.\d of 0\.6 MB are free on {disk}; .*--runs-dir", error)
    assert "WARNING" not in done.stderr
    assert "training on" not in done.stdout + done.stderr
    assert run_ids(tmp_path / "kept" / "runs") == []


def test_read_only_folder_is_one_clear_error_before_training(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    done = on_small_disk(disk, f"mount -o remount,ro {disk}\n{FAULTY} plain {disk}/runs")
    assert done.returncode != 0
    assert "trained" not in done.stdout
    assert "cannot record runs under" in done.stderr
    assert "Read-only file system; choose a folder that can be written" in done.stderr


def test_eight_runs_starting_at_once_are_eight_runs(tmp_path: Path) -> None:
    command = [*FAULTY.split(), "at_once", str(tmp_path)]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    (tmp_path / "go").touch()
    for process in processes:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    runs = read_records(tmp_path / "runs").runs
    assert [run.id for run in runs] == list(range(1, 9))
    assert {run.status for run in runs} == {"COMPLETED"}
    pids = {run.metrics()["pid"][0][1] for run in runs}
    assert pids == {process.pid for process in processes}
    assert {run.document["process"]["pid"] for run in runs} == pids


def test_fifty_megabytes_of_output_keep_their_start_and_end(tmp_path: Path) -> None:
    def body(run: Run) -> None:
        os.write(1, b"the first words\n")
        for line in range(500_000):
            os.write(1, b"%07d %s\n" % (line, b"x" * 92))
        os.write(1, b"the last words\n")
        log_epoch(run, 1, {"loss": 1})

    folder = record(body, tmp_path)
    text = (folder / "captured.txt").read_text()
    assert len(text) <= 1_000_000
    assert text.startswith("the first words\n0000000 ")
    assert text.rstrip().endswith("the last words")
    assert "characters left out" in text
    assert document(folder)["status"] == "COMPLETED"
    assert read_record(folder).metrics() == {"loss": [(1, 1)]}


def test_seventeen_megabytes_of_info_are_kept_and_hurt_nothing(tmp_path: Path) -> None:
    def body(run: Run) -> None:
        run.beat_interval = 0.05
        run.info["text"] = "x" * 17_000_000
        run.info["numbers"] = list(range(200_000))
        log_epoch(run, 1, {"loss": 1})
        time.sleep(1)
        log_epoch(run, 2, {"loss": 2})
        run.info["late"] = True

    folder = record(body, tmp_path)
    info = read_record(folder).info
    assert len(info["text"]) == 17_000_000
    assert info["numbers"][-1] == 199_999
    assert info["late"] is True
    assert (folder / "run.json").stat().st_size < 100_000
    assert read_record(folder).metrics() == {"loss": [(1, 1), (2, 2)]}
    assert document(folder)["warnings"] == []


def test_no_password_of_a_url_is_in_any_record(tmp_path: Path) -> None:
    url = "mongodb://me:open-sesame@127.0.0.1:9/hipreg"

    def body(run: Run) -> None:
        os.write(1, f"connecting to {url}\n".encode())
        run.info[url] = [url]
        log_epoch(run, 1, {"loss": 1})
        path = tmp_path / "table.csv"
        path.write_text("1")
        run.add_resource(path)
        run.add_artifact(tmp_path / f"none at {url}")
        raise ValueError(f"no server at {url}")

    with pytest.raises(ValueError, match="no server"):
        record(body, tmp_path / "runs", **{"--comment": url})
    written = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert "open-sesame" not in "".join(map(str, written))
    folder = tmp_path / "runs" / "1"
    for path in written:
        # Sources are those of this checkout, tests and their passwords not among them.
        assert b"open-sesame" not in path.read_bytes(), path
    for name in ("run.json", "captured.txt", "info.json"):
        assert "mongodb://***@127.0.0.1" in (folder / name).read_text()
