"""Workers side by side: what each may use, and what becomes of those that end."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from experiments.errors import PlainError
from studies.workers import Share, Workers, shares, visible_gpus

ONE = [Share((0,), None)]


def test_cores_are_divided_and_none_is_left_over() -> None:
    divided = [share.cores for share in shares(3, [0, 1, 2, 3, 4, 5, 6], [])]
    assert sorted(core for cores in divided for core in cores) == list(range(7))
    assert sorted(map(len, divided)) == [2, 2, 3]


def test_more_workers_than_cores_share_them() -> None:
    assert [share.cores for share in shares(3, [4, 5], [])] == [(4,), (5,), (4,)]


def test_gpus_go_round_and_keep_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-ab")
    assert [share.gpu for share in shares(3, [0], visible_gpus())] == ["2", "GPU-ab", "2"]


def workers_that(code: str) -> Workers:
    return Workers("s", "storage", ONE, command=[sys.executable, "-c", code])


def test_worker_that_cannot_go_on_says_why() -> None:
    with (
        workers_that("print('error: no such data'); raise SystemExit(1)") as workers,
        pytest.raises(PlainError, match=r"^no such data$"),
    ):
        workers.watch(lambda: 0, pause=0.01)


def test_worker_that_is_killed_again_and_again_is_given_up() -> None:
    with (
        workers_that("import os; os.kill(os.getpid(), 9)") as workers,
        pytest.raises(PlainError, match=r"again and again \(the last one by SIGKILL\)"),
    ):
        workers.watch(lambda: 0, pause=0.01)


def test_worker_that_is_stopped_by_hand_is_not_replaced() -> None:
    with workers_that("raise SystemExit(143)") as workers:
        assert not workers.watch(lambda: 0, pause=0.01)


def test_storage_reaches_a_worker_by_its_environment_alone() -> None:
    code = """
import os, sys
sys.exit(os.environ["HIPREG_STUDY_STORAGE"] != "storage" or "storage" in sys.argv)
"""
    with workers_that(code) as workers:
        assert workers.watch(lambda: 0, pause=0.01)


def test_workers_end_with_what_started_them() -> None:
    code = "import time; time.sleep(1000)"
    with workers_that(code) as workers:
        (pid,) = workers.pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
