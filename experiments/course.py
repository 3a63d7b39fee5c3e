"""The course of any training: its hooks, what ends it early, and what it leaves behind."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sacred.run import Run

from experiments.errors import PlainError
from experiments.monitor import RecordEpochs, ShowProgress
from experiments.resume import LAST, TRAIN
from experiments.run_folder import copy_file, runs_root
from experiments.signals import STOP, StoppedError
from experiments.start import carry_checkpoints
from experiments.tracking import note, runs_folder
from hipreg.files import FULL, space_left
from hipreg.losses import Loss
from hipreg.models import Described
from hipreg.training import (
    BY_DICE,
    Criterion,
    Evaluate,
    Hook,
    LostProcessError,
    SaveCheckpoints,
    StopOnDivergence,
    TimeLimit,
    TrainingState,
)

logger = logging.getLogger(__name__)


class StopOnSignal(Hook):
    """End training after the step in which it was asked to end."""

    def on_step(self, state: TrainingState, loss: Loss, done: int, total: int) -> None:
        STOP.check()


@dataclass(frozen=True)
class Course:
    """A training that is about to begin, with where it is recorded.

    Attributes:
        run: Gets metrics and artifacts.
        config: Plain values; of these, what says when to evaluate, save, print and end.
        folder: Gets checkpoints and whatever is left at the end.
        state: Of the training, fresh or resumed.
        record: What is recorded of each epoch.
        criterion: What chooses the best weights.
    """

    run: Run
    config: Mapping[str, Any]
    folder: Path
    state: TrainingState
    record: RecordEpochs
    criterion: Criterion = BY_DICE

    @staticmethod
    def begin(
        run: Run,
        config: Mapping[str, Any],
        folder: Path,
        state: TrainingState,
        *,
        weights: Mapping[str, float],
        settings: Mapping[str, float] | None = None,
        criterion: Criterion = BY_DICE,
    ) -> Course:
        """Make the folder, with the checkpoints of a run that is resumed in it.

        Args:
            run: As the attribute, like the three after it.
            config: See there.
            folder: See there.
            state: See there.
            weights: Of the terms of the loss, recorded beside them.
            settings: What else of the loss is recorded.
            criterion: What chooses the best weights.
        """
        folder.mkdir(parents=True, exist_ok=True)
        if config["resume_from"] is not None:
            carry_checkpoints(config["resume_from"], folder)
            note(run, resumed_at_epoch=state.epoch)
        record = RecordEpochs(run, weights, settings, criterion=criterion)
        return Course(run, config, folder, state, record, criterion)

    def go(
        self,
        optimise: Callable[[Sequence[Hook]], None],
        *,
        monitor: Callable[[], Mapping[str, float]],
        measures: Sequence[Hook] = (),
        finish: Callable[[], None],
        architecture: Described,
        metadata: Mapping[str, Any],
    ) -> None:
        """Train, then hand everything that is left to the run's observers.

        Args:
            optimise: Trains with the hooks that it is given.
            monitor: Measures the network for the record.
            measures: What else is measured after it.
            finish: Evaluates the best weights and leaves the files of the end.
            architecture: Of the network.
            metadata: Plain values stored with the weights.
        """
        config, limit = self.config, TimeLimit(self.config["max_minutes"])
        epochs = config["epochs"]
        saving = SaveCheckpoints(
            self.folder,
            architecture,
            metadata=metadata,
            every=config["save_every"],
            epochs=epochs,
            criterion=self.criterion,
        )
        hooks = [
            StopOnDivergence(),
            limit,
            Evaluate(monitor, every=config["eval_every"], epochs=epochs),
            *measures,
            self.record,
            saving,
            ShowProgress(epochs=epochs, every=config["print_every"], criterion=self.criterion),
            StopOnSignal(),
        ]
        with (
            full_disk_said_plainly(self.run, self.folder),
            left_resumable(self.run, self.state, saving),
        ):
            optimise(hooks)
            self.take_last()
            if limit.reached:
                logger.info(
                    "Stopped by max_minutes=%s after epoch %d", limit.minutes, self.state.epoch
                )
            with STOP.at_once():
                finish()
        leave(self.run, self.folder)
        logger.info("Weights, metrics, curves and panel: %s", self.folder)

    def take_last(self) -> None:
        """Let the last weights be the best ones where nothing chose between epochs."""
        last = self.folder / LAST
        if self.state.best is None and last.exists():
            copy_file(last, self.folder / "best.pt")

    def best_weights(self) -> Path:
        """The checkpoint that the selection chose; the last where nothing was measured."""
        best = self.folder / "best.pt"
        return best if best.exists() else self.folder / LAST


@contextmanager
def left_resumable(run: Run, state: TrainingState, saving: SaveCheckpoints) -> Iterator[None]:
    """Write a checkpoint of the last whole step before a training that is broken off ends.

    A run that is stopped after its last epoch has that epoch's checkpoint already.
    """
    try:
        yield
    except (StoppedError, LostProcessError) as error:
        where = f"after epoch {state.epoch}"
        if state.so_far is not None:
            where = f"after step {state.so_far.steps} of epoch {state.epoch + 1}"
            try:
                saving.save(LAST, state)
            except OSError as problem:
                logger.warning("%s. It can be resumed from the checkpoint before", problem)
        leave(run, saving.folder)
        if isinstance(error, StoppedError):
            raise StoppedError(error.signal, where + how_to_go_on(run)) from None
        raise


@contextmanager
def full_disk_said_plainly(run: Run, folder: Path) -> Iterator[None]:
    """Turn what the system says of files into one message.

    Args:
        run: Whose it is.
        folder: Where its files go.
    """
    try:
        yield
    except OSError as error:
        why = str(error)
        if error.errno in FULL:
            why = f"{error.filename or folder}: {error.strerror}: {space_left(folder)}"
        hint = "; make room there, or mend what it says"
        raise PlainError(f"{why}{hint}{how_to_go_on(run)}") from error


def how_to_go_on(run: Run) -> str:
    """What to do with a run that was broken off."""
    if run._id is None:
        return ""
    name, root = run.experiment_info.get("name", TRAIN), runs_folder(run)
    words = ["python", f"experiments/{name}.py", "resume", str(run._id)]
    if root.absolute() != runs_root().absolute():
        words += ["--runs-dir", str(root)]
    return f"; go on with: {shlex.join(words)}"


def leave(run: Run, folder: Path) -> None:
    """Hand all files to the run's observers."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            run.add_artifact(path)
