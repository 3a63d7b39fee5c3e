"""One training as a process of its own: started, followed, asked to end, never left behind."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from experiments import run_folder
from experiments.ends import close_if_dead
from experiments.records import RunRecord, read_record
from experiments.signals import LIFELINE

PATIENCE = 120.0
"""Seconds that a training gets to write its checkpoint and to end."""

_MOST_WORDS = 4000


class Training:
    """A command that records a run, as a child that ends when this process does.

    It has a session of its own, so that Ctrl-C reaches it through this process alone.
    """

    def __init__(
        self, command: Sequence[str], runs: Path, *, hidden: frozenset[str] = frozenset()
    ) -> None:
        """Start ``command``, whose run is recorded under ``runs``.

        Args:
            command: The program and its arguments.
            runs: The folder of all runs.
            hidden: Variables of this process that it does not get.
        """
        self._runs = runs
        self._before = max(run_folder.run_ids(runs), default=0)
        self._record: RunRecord | None = None
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        theirs, self._lifeline = os.pipe()
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs,),
                start_new_session=True,
                env={**environment, LIFELINE: str(theirs), "HIPREG_RUNS": str(runs)},
            )
        except BaseException:
            os.close(self._lifeline)
            self._output.close()
            raise
        finally:
            os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it where it still runs, and close its record."""
        if self.running():
            self.ask(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._lifeline)
        self._output.close()

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def ask(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def run(self) -> RunRecord | None:
        """Its run as it is now; None before there is one."""
        if self._record is None:
            for run_id in reversed(run_folder.run_ids(self._runs)):
                if run_id <= self._before:
                    return None
                try:
                    record = read_record(self._runs / str(run_id))
                except (OSError, ValueError):
                    continue
                process = record.document.get("process") or {}
                # Another machine may record in the same folder, from a process of this number.
                ours = {"host": platform.node(), "pid": self._process.pid}
                if ours.items() <= {key: process.get(key) for key in ours}.items():
                    self._record = record
                    break
        return self._record

    def ended_run(self) -> RunRecord | None:
        """Its run once it has ended, closed where it was killed; None where it made none."""
        record = self.run()
        if record is None:
            return None
        return close_if_dead(record) or read_record(record.folder)

    @property
    def killed(self) -> bool:
        """Whether a signal ended it."""
        return (self._process.poll() or 0) < 0

    def last_words(self) -> str:
        """The end of what it printed."""
        self._output.seek(0)
        lines = self._output.read()[-_MOST_WORDS:].decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def why_failed(record: RunRecord) -> str:
    """The last line of a failed run's traceback."""
    trace = "".join(record.document.get("fail_trace") or [])
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    return lines[-1] if lines else f"run {record.id} ended as {record.status}"
