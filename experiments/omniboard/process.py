"""Programs that run beside this one, and end with it."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from experiments.errors import PlainError
from experiments.redaction import redact

_PR_SET_PDEATHSIG = 1
# Loaded here, because between fork and exec nothing may be.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GOOD_BYE = 20.0  # seconds that a program has to end by itself


class Beside:
    """A program of a session of its own, so that Ctrl-C reaches it through us and in order."""

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        """Start it.

        Args:
            command: the program and its arguments, which everybody on this machine can see.
            log: where its output goes, with ``secrets`` and all credentials hidden.
            environment: variables to add to ours.
            secrets: texts that are hidden from its log.

        Raises:
            PlainError: it cannot be started.
        """
        self.name = Path(command[0]).name
        self.log = log
        self._secrets = secrets
        self._lines: list[str] = []
        self._new = threading.Condition()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                preexec_fn=_end_with_parent if _LIBC else None,
            )
        except OSError as error:
            raise PlainError(f"cannot start {command[0]}: {error.strerror or error}") from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def ended(self) -> bool:
        """Whether it has ended, by itself or not."""
        return self._process.poll() is not None

    def line(self, start: str, seconds: float) -> str | None:
        """The rest of the first line that begins with ``start``; None when none comes in time."""
        with self._new:
            self._new.wait_for(lambda: self._found(start) or self.ended, seconds)
            return self._found(start)

    def last_words(self, count: int = 5) -> str:
        """The end of what it printed."""
        with self._new:
            return "\n".join(self._lines[-count:]) or "it said nothing"

    def end(self) -> None:
        """End it cleanly, or by force where it does not."""
        if not self.ended:
            self._process.terminate()
        try:
            self._process.wait(_GOOD_BYE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(2.0)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _found(self, start: str) -> str | None:
        for line in self._lines:
            if line.startswith(start):
                return line[len(start) :].strip()
        return None

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self.log.open("w", encoding="utf-8") as log:
            for line in self._process.stdout:
                text = redact(line.rstrip("\n"), self._secrets)
                print(text, file=log, flush=True)
                with self._new:
                    self._lines = [*self._lines[-200:], text]
                    self._new.notify_all()
        with self._new:
            self._new.notify_all()


@contextlib.contextmanager
def only_one(lock: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether this is the only process that holds ``lock``, which it does while the block runs.

    Args:
        lock: a file, made when missing.
        wait: until it is.
    """
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True


@contextlib.contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM and a closed terminal set, instead of what they else do."""
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in _ENDS}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with_parent() -> None:
    # Even where we are killed: nobody would find what we leave running.
    assert _LIBC is not None
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
