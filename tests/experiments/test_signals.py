"""A run ends where it asks to be ended, once."""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import time

import pytest

from experiments.signals import (
    LIFELINE,
    STATUS,
    StoppedError,
    StopSignals,
    follow_parent,
    left_to_the_leader,
)


@pytest.mark.parametrize("number", STATUS)
def test_signal_waits_for_the_next_check_and_gives_its_status(number: signal.Signals) -> None:
    stop = StopSignals()
    with stop.listening():
        stop.check()
        os.kill(os.getpid(), number)
        with pytest.raises(StoppedError, match=number.name) as caught:
            stop.check()
    assert (caught.value.signal, caught.value.STATUS) == (number, STATUS[number])
    assert not caught.value.print_traceback


def test_what_can_be_broken_off_ends_at_once() -> None:
    stop = StopSignals()

    def loads() -> None:
        with stop.at_once():
            os.kill(os.getpid(), signal.SIGTERM)
            pytest.fail("the signal was not answered")

    with stop.listening(), pytest.raises(StoppedError):
        loads()


def test_what_can_be_broken_off_does_not_begin_after_a_signal() -> None:
    stop = StopSignals()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(StoppedError), stop.at_once():
            pytest.fail("it began")


def test_status_of_a_time_limit_is_another_than_that_of_an_interrupt() -> None:
    assert STATUS[signal.SIGUSR1] == "TIMEOUT"
    assert STATUS[signal.SIGTERM] == STATUS[signal.SIGINT] == "INTERRUPTED"


def test_later_signals_do_not_interrupt_the_end() -> None:
    stop = StopSignals()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGUSR1)
        for number in STATUS:
            os.kill(os.getpid(), number)
        with pytest.raises(StoppedError, match="SIGUSR1"):
            stop.check()


def test_exit_status_names_the_signal_and_handlers_are_as_before() -> None:
    def command(*signals: signal.Signals) -> None:
        with StopSignals().listening():
            for number in signals:
                os.kill(os.getpid(), number)
            sys.exit(1)

    before = [signal.getsignal(number) for number in STATUS]
    for signals, code in (((signal.SIGTERM,), 128 + signal.SIGTERM), ((), 1)):
        with pytest.raises(SystemExit) as caught:
            command(*signals)
        assert caught.value.code == code
    assert [signal.getsignal(number) for number in STATUS] == before


def test_processes_beside_the_leader_ignore_signals() -> None:
    with left_to_the_leader():
        for number in STATUS:
            os.kill(os.getpid(), number)


def test_signal_within_logging_ends_what_can_be_broken_off_and_is_no_logging_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Interrupted(io.StringIO):
        def write(self, text: str) -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            return super().write(text)

    stream, said = Interrupted(), logging.getLogger("hipreg.test.signals")
    handler = logging.StreamHandler(stream)
    said.addHandler(handler)
    stop = StopSignals()
    try:
        with stop.listening(), pytest.raises(StoppedError, match="SIGTERM"), stop.at_once():
            said.warning("whole")
    finally:
        said.removeHandler(handler)
    assert stream.getvalue() == "whole\n"
    assert "Logging error" not in capsys.readouterr().err


def test_process_is_asked_to_end_when_its_parent_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, held = os.pipe()
    monkeypatch.setenv(LIFELINE, str(theirs))
    stop = StopSignals()
    with stop.listening():
        follow_parent()
        assert LIFELINE not in os.environ
        os.close(held)  # what the system does when the parent ends, however it does
        deadline = time.monotonic() + 60
        while stop.asked is None and time.monotonic() < deadline:
            time.sleep(0.01)
        assert stop.asked == signal.SIGTERM
    os.close(theirs)


def test_pruned_run_has_a_status_of_its_own() -> None:
    assert STATUS[signal.SIGUSR2] == "PRUNED"
