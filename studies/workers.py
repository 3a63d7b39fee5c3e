"""Several workers on one machine: cores and GPUs divided, watched, replaced when killed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO

import torch

from experiments.child import PATIENCE
from experiments.errors import PlainError
from experiments.signals import LIFELINE, STOP
from studies.storage import STORAGE

logger = logging.getLogger("hipreg.studies")

WORKER = (sys.executable, str(Path(__file__).with_name("worker.py")))
"""What is started for each worker."""

MOST_RESTARTS = 3
"""Workers that may be killed, one after the other, while no trial ends in between."""

_LOOK = 1.0
_SIGNALLED = 128


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker may use.

    Attributes:
        cores: CPU cores; shared with others where there are more workers than cores.
        gpu: As CUDA_VISIBLE_DEVICES takes it; None where there is none.
    """

    cores: tuple[int, ...]
    gpu: str | None


def shares(workers: int, cores: Sequence[int], gpus: Sequence[str]) -> list[Share]:
    """Divide cores and GPUs among workers, as evenly as can be.

    Args:
        workers: How many.
        cores: All that this process may use.
        gpus: The same.
    """
    found = []
    for worker in range(workers):
        own = tuple(cores[worker::workers]) or (cores[worker % len(cores)],)
        found.append(Share(own, gpus[worker % len(gpus)] if gpus else None))
    return found


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    return [str(number) for number in range(torch.cuda.device_count())]


@dataclass(slots=True)
class _Worker:
    """A worker process and what it printed."""

    index: int
    process: subprocess.Popen[bytes]
    output: IO[bytes] = field(repr=False)

    def last_words(self) -> str:
        self.output.seek(0)
        lines = self.output.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].removeprefix("error: ") if lines else "it said nothing"


class Workers:
    """The workers of one command; they end with it, however it ends."""

    def __init__(self, study: str, url: str, divided: Sequence[Share], **settings: object) -> None:
        """Start a worker for each share.

        Args:
            study: Name.
            url: Storage; goes to the workers in a variable and not on their command lines.
            divided: See :func:`shares`.
            settings: ``seed`` of the study, and ``command`` instead of :data:`WORKER`.
        """
        self._study, self._url, self._shares = study, url, divided
        self._seed = settings.get("seed")
        self._command: Sequence[str] = settings.get("command", WORKER)  # type: ignore[assignment]
        self._stack = ExitStack()
        self._lifelines = os.pipe()
        self._stack.callback(os.close, self._lifelines[1])
        self._stack.callback(os.close, self._lifelines[0])
        self._running: list[_Worker] = []
        self._restarts, self._stopped = 0, False
        for index in range(len(divided)):
            self._running.append(self._start(index))

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let all of them end in order."""
        self.ask(signal.SIGTERM)
        for worker in self._running:
            try:
                worker.process.wait(2 * PATIENCE)  # it waits for its training
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        self._stack.close()

    @property
    def pids(self) -> list[int]:
        """Of the processes that run."""
        return [worker.process.pid for worker in self._running]

    def ask(self, number: signal.Signals) -> None:
        """Send all of them a signal."""
        for worker in self._running:
            if worker.process.poll() is None:
                worker.process.send_signal(number)

    def watch(self, ended: Callable[[], int], pause: float = _LOOK) -> bool:
        """Wait until all have ended; replace those that were killed.

        Args:
            ended: How many trials ended so far; called every so often.
            pause: Seconds between two looks.

        Returns:
            Whether they ended because nothing is left to do.

        Raises:
            PlainError: A worker could not go on, or they are killed again and again.
        """
        asked, before = False, ended()
        while self._running:
            if STOP.asked is not None and not asked:
                self.ask(STOP.asked)
                asked = True
            now = ended()
            self._restarts = 0 if now > before else self._restarts
            before = now
            for worker in list(self._running):
                if worker.process.poll() is not None:
                    self._running.remove(worker)
                    self._bury(worker, replace=not asked)
            time.sleep(pause if self._running else 0)
        return not asked and not self._stopped

    def _bury(self, worker: _Worker, *, replace: bool) -> None:
        code = worker.process.returncode
        if code == 0 or not replace:
            return
        if code > _SIGNALLED:
            logger.warning("worker %d was stopped by hand; its trial waits", worker.index)
            self._stopped = True
            return
        if code > 0:
            raise PlainError(worker.last_words())
        self._restarts += 1
        name = signal.Signals(-code).name
        if self._restarts > MOST_RESTARTS * len(self._shares):
            raise PlainError(
                f"workers are killed again and again (the last one by {name}); SIGKILL often "
                "means that the memory does not suffice: take fewer workers, and the same "
                "command goes on with the study"
            )
        logger.warning(
            "worker %d was killed (%s); another one takes its place", worker.index, name
        )
        self._running.append(self._start(worker.index))

    def _start(self, index: int) -> _Worker:
        share = self._shares[index]
        command = [*self._command, self._study, "--index", str(index)]
        command += ["--cores", ",".join(map(str, share.cores))]
        command += [] if self._seed is None else ["--seed", str(self._seed)]
        environment = {**os.environ, STORAGE: self._url, LIFELINE: str(self._lifelines[0])}
        if share.gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = share.gpu
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with all the others
        self._stack.callback(output.close)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(self._lifelines[0],),
            start_new_session=True,
            env=environment,
        )
        return _Worker(index, process, output)
