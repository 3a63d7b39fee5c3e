"""Ends a run where it asks to be ended from outside, and never in the midst of a step."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sacred.utils import SacredInterrupt

from experiments.errors import PlainError

STATUS = {
    signal.SIGTERM: "INTERRUPTED",
    signal.SIGINT: "INTERRUPTED",
    signal.SIGUSR1: "TIMEOUT",  # what Slurm is told to send before its time limit
    signal.SIGUSR2: "PRUNED",  # what a study sends to a trial that is worse than the others
}


class StoppedError(PlainError, SacredInterrupt):
    """The run was asked to end, and does so under the status that goes with the signal.

    Attributes:
        signal: which was sent.
        STATUS: what Sacred records.
    """

    def __init__(self, number: signal.Signals, where: str = "before training began") -> None:
        """Say that ``number`` stopped the run, and ``where``."""
        super().__init__(f"stopped by {number.name} {where}")
        self.signal, self.STATUS = number, STATUS[number]


class StopSignals:
    """The signals of this process that end a run, answered where it can be resumed from.

    The first one counts. It ends the run at once within :meth:`at_once` (while data are loaded
    or a network is evaluated), and otherwise at the next :meth:`check` (after a training step);
    what comes later, and what comes while the end is being recorded, changes nothing.

    Attributes:
        asked: the first signal that was sent; None before.
    """

    def __init__(self) -> None:
        """Signals keep their usual meaning before :meth:`listening`."""
        self.asked: signal.Signals | None = None
        self._raises = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals for the time of a command, whose exit status then is 128 + signal."""
        self.asked, before = None, {}
        for number in STATUS:
            before[number] = signal.signal(number, self._answer)
        try:
            yield
        except SystemExit as error:
            if error.code and self.asked is not None:
                sys.exit(128 + self.asked)
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What can be broken off anywhere.

        Raises:
            StoppedError: a signal was sent, now or before.
        """
        outer, self._raises = self._raises, True
        try:
            self.check()
            yield
        finally:
            self._raises = outer

    def check(self) -> None:
        """End the run if that was asked for.

        Raises:
            StoppedError: a signal was sent.
        """
        if self.asked is not None:
            raise StoppedError(self.asked)

    def _answer(self, number: int, _: FrameType | None) -> None:
        if self.asked is not None:
            return
        self.asked = signal.Signals(number)
        if self._raises:
            raise StoppedError(self.asked)
        # Neither print nor logging may be entered again from within themselves.
        os.write(2, f"\n{self.asked.name}: stopping after this step\n".encode())


@contextmanager
def left_to_the_leader() -> Iterator[None]:
    """Ignore the signals in a process that does not lead: it ends as soon as the leader does.

    A job's end is sent to all of its processes, and the leader needs the others for the step that
    it ends with.
    """
    before = {number: signal.signal(number, signal.SIG_IGN) for number in STATUS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


LIFELINE = "HIPREG_LIFELINE"
"""Variable with a pipe's end, by number, whose other end the parent holds open while it lives."""


def follow_parent() -> None:
    """Send SIGTERM to this process when the parent that gave it a lifeline ends, however it does.

    Without the variable ``HIPREG_LIFELINE`` the process is nobody's part, and nothing happens.
    """
    number = os.environ.pop(LIFELINE, "")
    if not number:
        return

    def wait(lifeline: int) -> None:
        # Nothing is ever written: reading ends when the other end is closed.
        os.read(lifeline, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, args=(int(number),), daemon=True, name="lifeline").start()


STOP = StopSignals()
"""The signals of this process."""
