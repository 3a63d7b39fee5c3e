"""What happens around the epochs of a training."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hipreg.models import Checkpoint, Described, save_checkpoint
from hipreg.training.loop import Hook, TrainingState

logger = logging.getLogger(__name__)

_NOTHING: Mapping[str, float] = {}

SELECTION_METRIC = "selection/dice"
"""What usually decides which epoch's weights are the best: never measured on validation cases."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """What decides which epoch's weights are the best.

    Attributes:
        metric: Name of a metric of the log.
        title: What people call it.
        higher: Whether a higher value is better.
    """

    metric: str = SELECTION_METRIC
    title: str = "Dice"
    higher: bool = True

    def better(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best so far; NaN never is."""
        if math.isnan(value):
            return False
        return best is None or (value > best if self.higher else value < best)


BY_DICE = Criterion()
BY_LOSS = Criterion("selection/loss", "loss on the selection pairs", higher=False)


class DivergenceError(FloatingPointError):
    """The loss stopped being a finite number."""


class StopOnDivergence(Hook):
    """End training with an error as soon as an epoch's loss is not finite."""

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        if not math.isfinite(log["train/loss"]):
            raise DivergenceError(
                f"the training loss of epoch {state.epoch} is {log['train/loss']}: lower the "
                "learning rate, or use precision=float32. The last checkpoint is of the epoch "
                "before"
            )


class Evaluate(Hook):
    """Add the numbers of an evaluation to the log of every n-th epoch and of the last.

    Args:
        evaluate: Metrics by name; called with the network in evaluation mode.
        every: Epochs between two evaluations.
        epochs: Number of the last epoch.
    """

    def __init__(
        self, evaluate: Callable[[], Mapping[str, float]], *, every: int, epochs: int
    ) -> None:
        self.evaluate, self.every, self.epochs = evaluate, every, epochs

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        if state.epoch % self.every == 0 or state.epoch >= self.epochs or state.stop:
            state.net.eval()
            with state.as_used():
                log.update(self.evaluate())


class SaveCheckpoints(Hook):
    """Keep the last weights, and the best by a criterion.

    Where the disk takes nothing more, training goes on without; only its end needs its weights.

    Args:
        folder: Gets ``last.pt`` and ``best.pt``.
        architecture: Of the network.
        metadata: Plain values stored with the weights.
        every: Epochs between two writes of ``last.pt``; the last epoch is always written.
        epochs: Number of the last epoch.
        criterion: What decides which weights are the best.
    """

    def __init__(
        self,
        folder: Path,
        architecture: Described,
        *,
        metadata: Mapping[str, Any],
        every: int,
        epochs: int,
        criterion: Criterion = BY_DICE,
    ) -> None:
        self.folder, self.architecture, self.metadata = folder, architecture, dict(metadata)
        self.every, self.epochs, self.criterion = every, epochs, criterion
        self.overdue = False

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        value = log.get(self.criterion.metric)
        improved = value is not None and self.criterion.better(value, state.best)
        if improved:
            state.best = value
        last = state.epoch >= self.epochs or state.stop
        due = state.epoch % self.every == 0 or improved or self.overdue
        # The best goes first: a kill in between then costs an epoch, and not the best weights.
        names = (["best.pt"] if improved else []) + (["last.pt"] if due or last else [])
        try:
            for name in names:
                self.save(name, state, log)
            self.overdue = False
        except OSError as error:
            # Without any checkpoint there is nothing yet to go on with: better to end at once.
            if last or not (self.folder / "last.pt").exists():
                raise
            self.overdue = True
            logger.warning("%s. Training goes on; the next epoch tries again", error)

    def save(self, name: str, state: TrainingState, log: Mapping[str, float] = _NOTHING) -> None:
        """Write a checkpoint of the state as it is, in mid-epoch too.

        Its weights are those that the network is used with; those that are trained, where they
        are others, are part of the training's state.

        Raises:
            OSError: It cannot be written; the file that was there is kept.
        """
        training = state.state_dict()
        with state.as_used():
            checkpoint = Checkpoint(
                architecture=self.architecture,
                weights=state.net.state_dict(),
                metadata={**self.metadata, "epoch": state.epoch, **_numbers(log)},
                training=training,
            )
            save_checkpoint(self.folder / name, checkpoint)


def _numbers(log: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in log.items()}


class TimeLimit(Hook):
    """End training after the epoch in which a time limit will have passed.

    Args:
        minutes: Wall time from now; None for no limit.
    """

    def __init__(self, minutes: float | None) -> None:
        self.minutes, self.started, self.reached = minutes, time.monotonic(), False

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        if self.minutes is None:
            return
        elapsed = time.monotonic() - self.started
        if elapsed + log["epoch_seconds"] > 60 * self.minutes:
            state.stop = self.reached = True
