"""However often a training is stopped and resumed, it is the training that was not."""

from __future__ import annotations

import csv
import logging
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from experiments.ends import reap
from experiments.monitor import ShowProgress
from experiments.process import this_process
from experiments.records import RunRecord, read_record, read_records
from experiments.resume import Ancestry, ResumeError, ancestry, command_line
from hipreg.losses import Objective
from hipreg.models import build, load_checkpoint
from hipreg.training import SELECTION_METRIC, Evaluate, Recipe, TrainingState, train
from hipreg.training.loop import EpochSoFar
from tests.experiments.test_records import write_run
from tests.experiments.test_train import ROOT, SMALL, command
from tests.helpers import TINY, small_pair

EPOCHS = 6
TRAINING = (
    *SMALL,
    "dataset=synthetic",
    *(f"epochs={EPOCHS}", "batch_size=2", "save_every=3", "eval_every=2"),
)
"""Four steps an epoch, slow enough to be stopped in; the checkpoints are fewer than the epochs."""

SPEED = {"pairs_per_second", "data_share", "epoch_seconds"}


class Training:
    """The training command in a process of its own, its runs in ``runs``."""

    def __init__(self, *arguments: str, runs: Path) -> None:
        self.output = runs / "output.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "experiments" / "train.py"), *arguments],
                cwd=runs,
                env={**os.environ, "HIPREG_RUNS": str(runs)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def stop(self, number: signal.Signals, *, after: str) -> int:
        """Send a signal once the training said ``after``; returns the exit status."""
        deadline = time.monotonic() + 300
        while after not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.process.send_signal(number)
        return self.process.wait(timeout=300)


def newest(runs: Path) -> RunRecord:
    return read_records(runs).runs[-1]


def assert_same_training(stopped: RunRecord, whole: RunRecord) -> None:
    """Both lineages trained and recorded the same, bit for bit."""
    first, second = (
        load_checkpoint(run.folder / "artifacts" / "last.pt") for run in (stopped, whole)
    )
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in second.weights)
    assert first.training["epoch"] == second.training["epoch"] == EPOCHS
    numbers, expected = stopped.stitched(), whole.stitched()
    assert set(numbers) == set(expected)
    for name in set(expected) - SPEED:
        assert numbers[name] == expected[name], name
    assert [step for step, _ in numbers["train/loss"]] == list(range(1, EPOCHS + 1))
    with (stopped.folder / "artifacts" / "history.csv").open() as file:
        assert [int(row["epoch"]) for row in csv.DictReader(file)] == list(range(1, EPOCHS + 1))
    assert stopped.document["result"] == whole.document["result"]
    tables = ((run.folder / "artifacts" / "pairs_val.csv").read_text() for run in (stopped, whole))
    assert len(set(tables)) == 1


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    """The training that nobody stopped; ``seconds`` beside it says how long it took."""
    runs, began = tmp_path_factory.mktemp("whole"), time.monotonic()
    done = command(*TRAINING, runs=runs)
    assert done.returncode == 0, done.stdout + done.stderr
    (runs / "seconds").write_text(str(time.monotonic() - began))
    return newest(runs)


def test_stopped_and_resumed_training_is_the_uninterrupted_one_bit_for_bit(
    tmp_path: Path, whole: RunRecord
) -> None:
    ends = [
        (signal.SIGTERM, "epoch 2/6", "INTERRUPTED", 128 + signal.SIGTERM),
        (signal.SIGUSR1, "Resumed after", "TIMEOUT", 128 + signal.SIGUSR1),
        # Epoch 4 is recorded by then, and the last checkpoint is that of epoch 3.
        (signal.SIGKILL, "epoch 4/6", "RUNNING", -signal.SIGKILL),
        (signal.SIGINT, "Resumed after epoch 3", "INTERRUPTED", 128 + signal.SIGINT),
    ]
    arguments = TRAINING
    for run, (number, moment, status, code) in enumerate(ends, start=1):
        training = Training(*arguments, runs=tmp_path)
        assert training.stop(number, after=moment) == code, training.said()
        record = newest(tmp_path)
        assert (record.id, record.status) == (run, status)
        assert "Traceback" not in training.said()
        if number != signal.SIGKILL:
            assert f"stopped by {number.name}" in training.said()
        if run == 1:
            assert re.search(r"after step \d of epoch 3; .*train.py resume 1\n", training.said())
        arguments = ("resume", "latest")
    assert command("resume", "4", runs=tmp_path).returncode == 0
    last = newest(tmp_path)
    assert_same_training(last, whole)
    assert (last.parent, last.lineage) == (4, (1, 2, 3, 4, 5))
    third, fourth = (read_record(tmp_path / run) for run in ("3", "4"))
    assert (third.status, fourth.resumed_at_epoch) == ("DIED", 3)
    assert third.document["start_time"] < third.document["stop_time"]
    assert "is gone" in third.document["died"]["why"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["1"], "finished its 6 epochs; raise epochs"),
        (["1", "with", "epochs=6"], "raise epochs"),
        (["latest", "with", "epochs=9", "weight_dice=2"], "another training"),
        (["1", "with", "sym"], "another training"),
        (["7"], "is no run"),
        ([], "needs a run"),
        (["-R", "elsewhere", "1"], "needs a run as its first word"),
        (["latest", "--runs-dir", "elsewhere"], "no run with a checkpoint"),
    ],
)
def test_what_may_not_be_resumed_is_refused_with_what_to_do(
    whole: RunRecord, arguments: list[str], message: str
) -> None:
    with pytest.raises(ResumeError, match=message):
        command_line(["resume", *arguments], whole.folder.parent)


def test_refusal_is_one_line_and_leaves_no_run(tmp_path: Path) -> None:
    done = command("resume", "latest", runs=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: no run with a checkpoint")
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_running_or_continued_run_is_not_resumed(tmp_path: Path) -> None:
    write_run(tmp_path, 1, status="INTERRUPTED")
    write_run(tmp_path, 2, status="RUNNING", process=this_process(), parent=1, lineage=[1, 2])
    for run, message in (("1", "continued as run 2"), ("2", "still running")):
        with pytest.raises(ResumeError, match=message):
            command_line(["resume", run], tmp_path)


def test_second_command_that_continues_a_run_is_refused(whole: RunRecord, tmp_path: Path) -> None:
    shutil.copytree(whole.folder, tmp_path / "1")
    arguments = ["resume", "1", "with", "epochs=9"]
    command_line(arguments, tmp_path)
    with pytest.raises(ResumeError, match="continued by another process right now"):
        command_line(arguments, tmp_path)


def test_refused_command_keeps_no_claim_on_the_run(whole: RunRecord) -> None:
    for _ in range(2):
        with pytest.raises(ResumeError, match="raise epochs"):
            command_line(["resume", str(whole.folder)], whole.folder.parent)


def test_resumed_run_is_recorded_beside_its_parent(whole: RunRecord, tmp_path: Path) -> None:
    folder = whole.folder
    arguments = command_line(["resume", str(folder), "with", "epochs=9"], tmp_path)
    config = str(folder / "config.json")
    assert arguments == [
        f"--runs-dir={folder.parent}",
        "with",
        config,
        f"resume_from={folder}",
        "epochs=9",
    ]
    assert command_line(["with", "sym"], tmp_path) == ["with", "sym"]


def test_run_of_another_training_is_of_no_lineage(whole: RunRecord, tmp_path: Path) -> None:
    config = {**whole.config, "resume_from": str(whole.folder), "epochs": 9}
    assert ancestry(whole.folder.parent, config) == Ancestry(1, (1,))
    assert ancestry(whole.folder.parent, {**config, "weight_dice": 2.0}) == Ancestry()
    assert ancestry(tmp_path, config) == Ancestry()
    assert ancestry(whole.folder.parent, {**config, "resume_from": None}) == Ancestry()


def test_epoch_that_was_stopped_in_its_evaluation_ends_without_a_step(
    caplog: pytest.LogCaptureFixture,
) -> None:
    net = build(TINY)
    done = EpochSoFar(steps=2, sums={"": torch.tensor(1.0)}, pairs=2, seconds=1.0)
    state = TrainingState(net, torch.optim.Adam(net.parameters()), so_far=done)
    evaluate = Evaluate(lambda: {SELECTION_METRIC: 0.5}, every=1, epochs=1)
    with caplog.at_level(logging.INFO):
        train(
            state,
            Objective(),
            lambda epoch: [small_pair(), small_pair()],
            Recipe(epochs=1),
            steps_per_epoch=2,
            hooks=[evaluate, ShowProgress(epochs=1, every=1)],
        )
    assert "epoch 1/1: loss 0.5000, Dice 0.500" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_any_moment_and_resumed_is_the_uninterrupted_one(
    tmp_path: Path, whole: RunRecord, seed: int
) -> None:
    chance = random.Random(seed)
    longest = float((whole.folder.parent / "seconds").read_text())
    stops: list[tuple[str, float]] = []
    while True:
        found = read_records(tmp_path).runs
        arguments = ("resume", str(found[-1].id)) if found else TRAINING
        training = Training(*arguments, runs=tmp_path)
        number = chance.choice([signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
        delay = chance.uniform(0, longest)
        try:
            # Twice at any moment of a whole run; then it is left to end.
            training.process.wait(timeout=delay if len(stops) < 2 else 600)
            assert training.process.returncode == 0, (stops, training.said())
            if stops:
                break
            longest *= 0.7  # quicker than the first: over again
            shutil.rmtree(tmp_path)
            tmp_path.mkdir()
            continue
        except subprocess.TimeoutExpired:
            training.process.send_signal(number)
            training.process.wait(timeout=600)
            stops.append((number.name, delay))
        reap(tmp_path)
        left = read_records(tmp_path).runs
        if left and left[-1].status == "COMPLETED":
            break  # the signal came after the end of the record
    print(seed, stops)
    assert_same_training(newest(tmp_path), whole)
