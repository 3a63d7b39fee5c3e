"""The trainings of a cross-validation, one after the other, each a run like any other."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.child import PATIENCE, Training, why_failed
from experiments.cross_validation.plan import PROGRAMS, Stage
from experiments.cross_validation.progress import Progress
from experiments.ends import close_if_dead
from experiments.errors import PlainError
from experiments.records import COMPLETED, FAILED, RUNNING, RunRecord, read_record, read_records
from experiments.resume import experiment_of
from experiments.run_folder import ARTIFACTS, CAPTURED, METRICS
from experiments.runs.tail import read_tail
from experiments.signals import STOP

ROOT = Path(__file__).resolve().parents[2]
POLL = 0.5
"""Seconds between two looks at a training."""


class StoppedError(Exception):
    """The command was asked to end."""


@dataclass(frozen=True, slots=True)
class Trainer:
    """Does trainings that are not done.

    Attributes:
        runs: The folder of all runs of this cross-validation.
        bar: Told of every epoch.
    """

    runs: Path
    bar: Progress

    def train(self, stage: Stage, guides: Mapping[str, RunRecord]) -> RunRecord:
        """A stage's run, finished.

        Args:
            stage: What to train, or to go on with.
            guides: The finished segmentations by name.

        Raises:
            PlainError: It failed.
            StoppedError: This process was asked to end; the training wrote a checkpoint.
        """
        guide = guides[stage.guide] if stage.guide else None
        found = newest(stage, self.runs)
        if found is not None and found.status == RUNNING:
            found = ended(found)
        if found is not None:
            refuse_other_guide(found, guide)
            if found.status == COMPLETED:
                return found
        done = epochs_of(found)
        self.bar.begin(kind_of(stage), stage.name)
        with Training(command(stage, found, guide), self.runs) as training:
            self._follow(training, done)
            record = training.ended_run()
            if STOP.asked is not None:
                raise StoppedError
            if record is None:
                raise PlainError(f"{stage.name}: {training.last_words()}")
        if record.status != COMPLETED:
            why = why_failed(record) if record.status == FAILED else f"ended as {record.status}"
            where = record.folder / CAPTURED
            raise PlainError(f"{stage.name}, run {record.id}: {why}; see {where}")
        self.bar.say(f"{stage.name}: run {record.id}")
        return record

    def _follow(self, training: Training, done: int) -> None:
        """Show how far a training is until it ends; it is asked to where this process is."""
        asked = False
        while training.running():
            if STOP.asked is not None and not asked:
                training.ask(STOP.asked)
                asked = True
            self.bar.at(max(0, epochs_of(training.run()) - done))
            time.sleep(POLL)
        self.bar.at(max(0, epochs_of(training.run()) - done))


def command(stage: Stage, found: RunRecord | None, guide: RunRecord | None) -> list[str]:
    """What begins a stage's training, or goes on with the run that was ``found``."""
    program = [sys.executable, str(ROOT / "experiments" / f"{PROGRAMS[stage.kind]}.py")]
    if found is not None:
        return [*program, "resume", str(found.id)]
    guided = [] if guide is None else [f"segmenter={guide.id}"]
    return [*program, "with", *stage.words, *guided]


def newest(stage: Stage, runs: Path) -> RunRecord | None:
    """The newest run of a stage, which continues all others of it; None where there is none."""
    for record in reversed(read_records(runs).runs):
        try:
            ours = record.config.get("name") == stage.name
        except ValueError:
            continue  # killed before it was on record
        if ours and experiment_of(record) == PROGRAMS[stage.kind]:
            return record
    return None


def ended(record: RunRecord) -> RunRecord:
    """A run of an earlier call that died, once the run has ended too.

    Raises:
        PlainError: It goes on.
        StoppedError: This process was asked to end.
    """
    deadline = time.monotonic() + PATIENCE
    while record.status == RUNNING:
        closed = close_if_dead(record)
        if closed is not None:
            return closed
        if STOP.asked is not None:
            raise StoppedError
        if time.monotonic() > deadline:
            raise PlainError(f"run {record.id} ({record.folder}) is still running: end it first")
        time.sleep(POLL)
        record = read_record(record.folder)
    return record


def refuse_other_guide(found: RunRecord, guide: RunRecord | None) -> None:
    """Refuse a registration that was guided by another run than the segmentation of its fold.

    Raises:
        PlainError: It was.
    """
    wanted = None if guide is None else guide.id
    if found.config.get("segmenter") != wanted:
        raise PlainError(
            f"run {found.id} was guided by run {found.config.get('segmenter')}, and the "
            f"segmentation of its fold is run {wanted} now; delete {found.folder} to train it anew"
        )


def epochs_of(record: RunRecord | None) -> int:
    """The last epoch that a run logged, or took over."""
    if record is None:
        return 0
    step = read_tail(record.folder / METRICS, None).step
    return step if step is not None else record.resumed_at_epoch or 0


def kind_of(stage: Stage) -> str:
    """Which of the kinds of work a training is: its epochs take as long in every fold."""
    return f"{stage.kind} {stage.row}"


def weights_of(record: RunRecord) -> Path:
    """The weights that a finished run left."""
    return record.folder / ARTIFACTS / "best.pt"
