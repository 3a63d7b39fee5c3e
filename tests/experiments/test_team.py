"""How the processes of a training end."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator

import pytest
import torch
from sacred.utils import SacredError

from experiments.signals import STOP, StoppedError
from experiments.team import TeamError, beside_the_leader, leading, own_device
from hipreg.training import LostProcessError, Team

LEADER, OTHER = Team(rank=0, size=2), Team(rank=1, size=2)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    logging.disable(logging.NOTSET)
    torch.set_num_threads(threads)


def test_leader_ends_in_one_line_when_another_process_is_lost() -> None:
    with pytest.raises(TeamError, match="gone") as caught, leading():
        raise LostProcessError("gone")
    assert not caught.value.print_traceback


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (signal.SIGTERM, TeamError),
        (signal.SIGINT, StoppedError),
        (signal.SIGUSR1, StoppedError),
    ],
)
def test_sigterm_beside_a_lost_process_is_a_failure_and_an_interrupt_is_none(
    number: signal.Signals, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(STOP, "asked", None)  # as it is to be for the tests after this one

    def trains() -> None:
        with STOP.listening(), leading():
            os.kill(os.getpid(), number)
            raise LostProcessError("gone")

    with pytest.raises(kind):
        trains()


def test_the_leaders_own_error_stays_as_it_is() -> None:
    with pytest.raises(ValueError, match="mine"), leading():
        raise ValueError("mine")


def test_leader_gets_no_arguments_and_others_record_nothing() -> None:
    with beside_the_leader(LEADER) as arguments:
        assert arguments == []
    with beside_the_leader(OTHER) as arguments:
        assert "--unobserved" in arguments


@pytest.mark.parametrize("error", [LostProcessError("x"), SacredError("x"), KeyboardInterrupt()])
def test_others_are_silent_about_what_the_leader_says(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught, beside_the_leader(OTHER):
        raise error
    assert caught.value.code == 1
    assert capsys.readouterr().err == ""


def test_others_report_a_failure_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, beside_the_leader(OTHER):
        raise ValueError("out of memory")
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("Process 1 of 2 failed")
    assert "out of memory" in said


def test_processes_of_a_machine_share_its_threads_unless_told() -> None:
    team = Team(rank=0, size=2, local_size=1000)
    own_device({"device": "cpu", "threads": None}, team)
    assert torch.get_num_threads() == 1
    own_device({"device": "cpu", "threads": 2}, team)
    assert torch.get_num_threads() == 2
