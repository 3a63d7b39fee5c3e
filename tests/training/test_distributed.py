"""Training by several processes: the same result, one record, one end."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.records import read_record
from experiments.run_folder import run_ids
from hipreg.data.augment import Augmentation
from hipreg.data.batches import training_plans
from hipreg.models import build
from hipreg.training import LostProcessError, Team, distributed
from tests.helpers import SMALL, TINY
from tests.training.shared_training import SCENARIOS, bank, outcomes

ROOT = Path(__file__).resolve().parents[2]
TRAIN = str(ROOT / "experiments" / "train.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
SHORT = (
    "with",
    "debug",
    "dataset=synthetic_small",
    "crop_size=32",
    "pool_blocks=2",
    "epochs=1",
    "max_cases=4",
)


def launch(*command: str) -> subprocess.CompletedProcess[str]:
    """Run ``command`` as two processes that meet on this machine."""
    return subprocess.run(
        torchrun(*command),
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def torchrun(*command: str) -> list[str]:
    """``command`` as two processes on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = ("--nproc-per-node=2", "--master-addr=127.0.0.1", f"--master-port={port}")
    return [sys.executable, "-m", "torch.distributed.run", *here, *command]


@pytest.fixture(scope="module")
def by_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes has after all scenarios."""
    folder = tmp_path_factory.mktemp("ranks")
    done = launch("-m", "tests.training.shared_training", str(folder))
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"rank{rank}.pt") for rank in (0, 1)]


@pytest.fixture(scope="module")
def by_one() -> dict[str, Any]:
    return outcomes(Team())


def largest_difference(first: dict[str, Any], second: dict[str, Any]) -> float:
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_processes_give_the_weights_of_one(
    by_one: dict[str, Any], by_two: list[dict[str, Any]], scenario: str
) -> None:
    one, two = by_one[scenario], by_two[0][scenario]
    assert largest_difference(one["weights"], one["start"]) > 1e-4
    assert largest_difference(one["weights"], two["weights"]) < 1e-6


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_processes_hold_the_same_weights_bit_for_bit(
    by_two: list[dict[str, Any]], scenario: str
) -> None:
    first, second = (outcome[scenario]["weights"] for outcome in by_two)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_logged_losses_are_those_of_the_whole_batches(
    by_one: dict[str, Any], by_two: list[dict[str, Any]], scenario: str
) -> None:
    for outcome in by_two:
        pairs = zip(by_one[scenario]["logs"], outcome[scenario]["logs"], strict=True)
        for one, two in pairs:
            assert two == pytest.approx(one, rel=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("pairs", [0, 1, 2, 7, 8])
def test_shares_are_the_batch_in_nearly_equal_parts(size: int, pairs: int) -> None:
    shares = [range(pairs)[Team(rank, size).share(pairs)] for rank in range(size)]
    assert [pair for share in shares for pair in share] == list(range(pairs))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_share_is_augmented_as_in_the_whole_batch() -> None:
    cases = bank()
    plans = training_plans(
        cases, batch_size=4, size=SMALL, augmentation=Augmentation(), seed=0, epoch=0
    )
    for plan in plans:
        whole = plan.make(cases)
        parts = [plan.part(Team(rank, 3).share(len(plan))).make(cases) for rank in range(3)]
        images = torch.cat([part.fixed for part in parts])
        torch.testing.assert_close(images, whole.fixed, rtol=0, atol=1e-5)
        assert torch.equal(torch.cat([part.moving_label for part in parts]), whole.moving_label)


def test_one_process_needs_no_other() -> None:
    team, net = Team.launched({}), build(TINY)
    assert team == Team()
    assert team.leads
    distributed.connect(team)
    distributed.meet()
    distributed.share_weights(net)
    assert not distributed.connected()
    assert distributed.word_of_leader(True)
    distributed.disconnect()


def test_torchrun_says_who_a_process_is() -> None:
    told = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"}
    team = Team.launched(told)
    assert team == Team(rank=5, size=8, local_rank=1, local_size=4)
    assert not team.leads


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    team = Team(rank=3, size=4, local_rank=1, local_size=2)
    assert team.device(torch.device("cuda")) == torch.device("cuda:1")
    assert team.device(torch.device("cpu")) == torch.device("cpu")
    assert Team().device(torch.device("cuda:1")) == torch.device("cuda:1")
    with pytest.raises(ValueError, match="GPU of its own"):
        team.device(torch.device("cuda:0"))
    with pytest.raises(ValueError, match="GPU of its own"):
        Team(rank=2, size=4, local_rank=2, local_size=4).device(torch.device("cuda"))


def test_batch_norm_is_refused_among_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    net = torch.nn.Sequential(torch.nn.BatchNorm3d(2))
    distributed.refuse_batch_norm(net)
    monkeypatch.setattr(distributed, "connected", lambda: True)
    distributed.refuse_batch_norm(build(TINY))
    with pytest.raises(ValueError, match="batch norm"):
        distributed.refuse_batch_norm(net)


def test_a_lost_process_is_one_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def reset(*_: object) -> None:
        raise RuntimeError("[/gloo/pair.cc:537] Connection reset by peer. Good luck!")

    monkeypatch.setattr(distributed, "connected", lambda: True)
    monkeypatch.setattr(torch.distributed, "all_reduce", reset)
    with pytest.raises(LostProcessError, match=r"another process .*\(Connection reset by peer\)$"):
        distributed.meet()


def test_two_processes_record_one_run(tmp_path: Path) -> None:
    done = launch(TRAIN, "-R", str(tmp_path), *SHORT, "batch_size=3")
    assert done.returncode == 0, done.stderr
    assert run_ids(tmp_path) == [1]
    run = json.loads((tmp_path / "1" / "run.json").read_text())
    assert run["status"] == "COMPLETED"
    kept = {artifact["name"] for artifact in run["artifacts"]}
    assert {"best.pt", "last.pt", "pairs_val.csv", "panel.png"} <= kept
    output = done.stdout + done.stderr
    assert output.count("training on 4 cases") == output.count("Best weights") == 1


def test_a_killed_process_ends_all_with_one_message_and_a_closed_record(tmp_path: Path) -> None:
    script = str(Path(__file__).with_name("killed_process.py"))
    done = launch(script, "-R", str(tmp_path), *SHORT, "batch_size=2")
    assert done.returncode != 0
    output = done.stdout + done.stderr
    assert output.count("TeamError: ") == 1, output
    ours = output.partition("torch.distributed.elastic.multiprocessing.errors")[0]
    assert "experiments/fit.py" not in ours
    run = json.loads((tmp_path / "1" / "run.json").read_text())
    assert run["status"] == "FAILED"


def test_sigterm_to_torchrun_interrupts_the_run_after_a_step_and_it_can_go_on(
    tmp_path: Path,
) -> None:
    settings = (*SHORT[:-2], "epochs=2", "batch_size=2", "threads=1")
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            torchrun(TRAIN, "-R", str(tmp_path), *settings),
            cwd=ROOT,
            env=ENVIRONMENT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + 120
    while "epoch 1/2" not in (tmp_path / "output").read_text():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.terminate()
    process.wait(timeout=120)
    run = read_record(tmp_path / "1")
    assert run.status == "INTERRUPTED", (tmp_path / "output").read_text()
    done = launch(TRAIN, "resume", str(tmp_path / "1"))
    assert done.returncode == 0, done.stderr
    resumed = read_record(tmp_path / "2")
    assert (resumed.status, resumed.lineage, resumed.resumed_at_epoch) == ("COMPLETED", (1, 2), 1)
    assert [step for step, _ in resumed.stitched()["train/loss"]] == [1, 2]
