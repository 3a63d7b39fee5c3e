"""Trains the cells of an ablation, several side by side, and beside other calls that do so."""

from __future__ import annotations

import fcntl
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from experiments.capture import terminal_columns
from experiments.child import why_failed
from experiments.records import COMPLETED, FAILED, RunRecord, read_records
from experiments.run_folder import METRICS
from experiments.runs.tail import read_tail
from experiments.signals import STOP
from experiments.words import assignments
from studies.cells import Cell
from studies.standing import RESUME, TAKE, WAIT, Present, Standing, standing
from studies.training import Training
from studies.work import TRAIN as PROGRAM
from studies.workers import Share

logger = logging.getLogger("hipreg.studies")

LOCKS = ".cells"
"""Folder of the locks beside the runs; a lock is its process's, and goes with it."""

POLL = 0.5
_PATIENCE = 10.0
"""Seconds between two looks at what another call is training."""


@dataclass(eq=False)
class Job:
    """A cell that is being trained here.

    Attributes:
        cell: of the grid.
        training: its process.
        share: the cores and GPU that it has.
        before: epochs that were trained before.
    """

    cell: Cell
    training: Training
    share: Share
    before: int
    held: ExitStack = field(repr=False)

    def epoch(self) -> int:
        """Epochs that it trained."""
        record = self.training.run()
        return max(0, _epoch(record) - self.before) if record else 0


class Grid:
    """The cells of one call, until each of them has its run or has failed.

    Attributes:
        done: the run of each cell that has one, by the cell's key.
        failed: why a cell has none, by the same.
    """

    def __init__(
        self, cells: Sequence[Cell], runs: Path, now: Present, program: Sequence[str] = PROGRAM
    ) -> None:
        """Nothing is started yet.

        Args:
            cells: of the grid.
            runs: the folder of all runs.
            now: what a training would be made of.
            program: what trains a cell.
        """
        self.cells, self.runs, self.now, self.program = cells, runs, now, tuple(program)
        self.done: dict[str, RunRecord] = {}
        self.failed: dict[str, str] = {}
        self._jobs: list[Job] = []
        self._looked: dict[str, float] = {}
        self._said: set[str] = set()
        self._gained = 0

    def standings(self) -> list[tuple[Cell, Standing]]:
        """What stands for each cell, or is to be done for it, now."""
        records = read_records(self.runs).runs
        return [(cell, standing(cell, records, self.now)) for cell in self.cells]

    def work(self, shares: Sequence[Share]) -> None:
        """Train all cells that no run stands for, one on each share at a time."""
        self.runs.mkdir(parents=True, exist_ok=True)
        free = list(shares)
        with ExitStack() as stack, self._bar() as bar:
            stack.callback(self._end_all)
            while STOP.asked is None and len(self.done) + len(self.failed) < len(self.cells):
                self._start(free, bar)
                self._look(free, bar)
                time.sleep(POLL)
            if STOP.asked is not None:
                for job in self._jobs:
                    job.training.ask(STOP.asked)

    def _start(self, free: list[Share], bar: Any) -> None:
        busy = {job.cell.key for job in self._jobs} | set(self.done) | set(self.failed)
        for cell in self.cells:
            late = time.monotonic() - self._looked.get(cell.key, -_PATIENCE) < _PATIENCE
            if not free or STOP.asked is not None:
                return
            if cell.key in busy or late:
                continue
            lock = self._lock(cell)
            if lock is None:
                self._wait(cell, "another call trains it", bar)
                continue
            held = ExitStack()
            held.enter_context(lock)
            # Only now is it known that no other call ends it in the meantime.
            found = standing(cell, read_records(self.runs).runs, self.now)
            if found.do == TAKE and found.run is not None:
                held.close()
                self._close(cell, found.run, bar)
            elif found.do == WAIT and found.run is not None:
                held.close()
                self._wait(cell, f"run {found.run.id} goes on elsewhere", bar)
            else:
                self._jobs.append(self._job(cell, found, free.pop(0), held))

    def _job(self, cell: Cell, found: Standing, share: Share, held: ExitStack) -> Job:
        command = train_command(self.program, cell, found, share)
        try:
            training = held.enter_context(Training(command, self.runs))
        except BaseException:
            held.close()
            raise
        before = _epoch(found.run) if found.run is not None else 0
        return Job(cell, training, share, before, held)

    def _look(self, free: list[Share], bar: Any) -> None:
        """Show how far all are, and close those that have ended."""
        for job in list(self._jobs):
            if job.training.running():
                continue
            record, words = job.training.ended_run(), job.training.last_words()
            self._jobs.remove(job)
            self._gained += job.epoch()
            job.held.close()
            free.append(job.share)
            if record is not None and record.status == COMPLETED:
                self._close(job.cell, record, bar)
            elif STOP.asked is None:
                why = words if record is None else f"run {record.id} ended as {record.status}"
                if record is not None and record.status == FAILED:
                    why = f"run {record.id}: {why_failed(record)}"
                self.failed[job.cell.key] = why
                self._say(bar, f"{job.cell}: FAILED, {why}")
        bar.update(self._gained + sum(job.epoch() for job in self._jobs) - bar.n)

    def _close(self, cell: Cell, record: RunRecord, bar: Any) -> None:
        self.done[cell.key] = record
        dice = read_tail(record.folder / METRICS, None).values.get("val/dice")
        words = f", Dice {dice[1]:.4f}" if dice else ""
        self._say(bar, f"{cell}: run {record.id}{words}")
        bar.set_description_str(f"cells {len(self.done)}/{len(self.cells)}")

    def _wait(self, cell: Cell, why: str, bar: Any) -> None:
        self._looked[cell.key] = time.monotonic()
        if cell.key not in self._said:
            self._said.add(cell.key)
            self._say(bar, f"{cell}: {why}; waiting for its end")

    def _bar(self) -> Any:
        left = 0
        for cell, found in self.standings():
            done = _epoch(found.run) if found.run is not None and found.do == RESUME else 0
            left += 0 if found.do in (TAKE, WAIT) else max(0, cell.epochs - done)
        return tqdm(
            total=left,
            unit="epoch",
            desc=f"cells 0/{len(self.cells)}",
            disable=terminal_columns() is None,
            ncols=terminal_columns(),
        )

    def _say(self, bar: Any, text: str) -> None:
        ended = len(self.done) + len(self.failed)
        if bar.disable:
            logger.info("%s (%d of %d)", text, ended, len(self.cells))
        else:
            bar.write(text, file=sys.stdout)

    def _lock(self, cell: Cell) -> IO[bytes] | None:
        """Take a cell for this call; None where another one has it."""
        folder = self.runs / LOCKS
        folder.mkdir(exist_ok=True)
        file = (folder / cell.key).open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file

    def _end_all(self) -> None:
        for job in self._jobs:
            with suppress(OSError):
                job.held.close()
        self._jobs.clear()


def train_command(program: Sequence[str], cell: Cell, found: Standing, share: Share) -> list[str]:
    """The command that trains a cell, or goes on with a run of it.

    Args:
        program: what trains.
        cell: of the grid.
        found: what is to be done for it.
        share: cores and GPU that it may use, unless the cell says itself.
    """
    own: dict[str, Any] = {} if "threads" in cell.given else {"threads": len(share.cores)}
    if share.gpu is not None and "device" not in cell.given:
        own["device"] = f"cuda:{share.gpu}"
    if found.do == RESUME and found.run is not None:
        return [*program, "resume", str(found.run.folder), "with", *assignments(own)]
    return [*program, "with", *cell.arguments, *assignments(own)]


def _epoch(record: RunRecord) -> int:
    """The last epoch that a run logged, or took over."""
    step = read_tail(record.folder / METRICS, None).step
    return step if step is not None else record.resumed_at_epoch or 0
