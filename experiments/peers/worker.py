"""Each method in a process of its own, where it is timed.

Several programs bring their own copies of ITK, of which two in one process crash. And what a
program does to warnings, threads and its output stays its own.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from experiments.errors import PlainError
from experiments.peers.peer import Field, Volume

Register = Callable[[Volume, Volume], Field]
"""From moving and fixed image to the displacement."""

_THREADS = (
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
)
_SECONDS_TO_END = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """One registered pair.

    Attributes:
        field: (3, D, H, W) in voxels.
        seconds: That it took, start of the process and loading of programs left out.
        cpu_seconds: The same of all threads' processor time, which waiting does not lengthen.
    """

    field: Field
    seconds: float
    cpu_seconds: float


class Worker:
    """A process that registers one pair after another; to be used as a context."""

    def __init__(self, name: str, load: Callable[[int], Register], *, threads: int) -> None:
        """Start the process.

        Args:
            name: For messages.
            load: Run in the new process with the number of threads; must be picklable.
            threads: That the method may use.
        """
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, load, threads), daemon=True)
        with _environment(threads):
            self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ours.close()
        if error is not None:
            self._process.terminate()
        self._process.join(_SECONDS_TO_END)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def register(self, moving: Volume, fixed: Volume) -> Registered:
        """Register one pair.

        Raises:
            PlainError: The program failed, or took its process down.
        """
        try:
            self._ours.send((moving, fixed))
            answer = self._ours.recv()
        except (EOFError, OSError):
            self._process.join(_SECONDS_TO_END)
            code = self._process.exitcode
            how = f"by signal {-code}" if code is not None and code < 0 else f"with status {code}"
            raise PlainError(f"{self.name}: its process ended {how}; see above") from None
        if isinstance(answer, str):
            raise PlainError(f"{self.name}: {answer}")
        found: Registered = answer
        return found


class Here:
    """The same in this process: for methods of ours alone, whose libraries get on with each
    other."""

    def __init__(self, name: str, load: Callable[[int], Register], *, threads: int) -> None:
        """Make it ready.

        Args:
            name: Not needed here.
            load: Run with the number of threads.
            threads: That the method may use.
        """
        self._register = load(threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is left to end."""

    def register(self, moving: Volume, fixed: Volume) -> Registered:
        """Register one pair."""
        return _timed(self._register, moving, fixed)


def _timed(register: Register, moving: Volume, fixed: Volume) -> Registered:
    start, cpu = time.perf_counter(), time.process_time()
    field = register(moving, fixed)
    return Registered(field, time.perf_counter() - start, time.process_time() - cpu)


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """The environment of a process that is started meanwhile: its libraries' threads."""
    before = {key: os.environ.get(key) for key in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def _serve(pipe: Connection, load: Callable[[int], Register], threads: int) -> None:
    """The process: answers images with a displacement and its times, or with what went wrong."""
    # Ctrl-C is the command's to handle, which then ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a program prints would tear the progress bar; its errors go where errors go.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    register: Register | None = None
    with suppress(EOFError, BrokenPipeError):
        while True:
            moving, fixed = pipe.recv()
            try:
                if register is None:
                    register = load(threads)
                pipe.send(_timed(register, moving, fixed))
            except Exception as error:  # whatever a program raises is said by the command
                pipe.send(f"{type(error).__name__}: {error}")
