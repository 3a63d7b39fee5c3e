"""What a person sees of a training while it runs, and what Sacred records of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from experiments.tracking import history, log_epoch, terminal_columns
from hipreg.losses import Loss
from hipreg.training import BY_DICE, Criterion, Hook, TrainingState

logger = logging.getLogger(__name__)


def with_weights(metrics: Mapping[str, float], weights: Mapping[str, float]) -> dict[str, float]:
    """Metrics with the weighted value of every loss term and the weights beside them."""
    complete = dict(metrics)
    for name, value in metrics.items():
        group, separator, term = name.partition("/loss/")
        if separator:
            complete[f"{group}/weighted/{term}"] = weights[term] * value
    return complete | {f"weight/{term}": weight for term, weight in weights.items()}


class RecordEpochs(Hook):
    """Record every number of every epoch in the run.

    Goes before the checkpoint of the epoch: a kill in between then costs the epoch its checkpoint,
    and not its record.

    Args:
        run: The current run.
        weights: Of the terms of the loss.
        settings: What else of the loss is recorded with each epoch.
        criterion: The result of the run.

    Attributes:
        history: The recorded values by name, as (epoch, value), those of the runs that this one
            continues included.
    """

    def __init__(
        self,
        run: Any,
        weights: Mapping[str, float],
        settings: Mapping[str, float] | None = None,
        *,
        criterion: Criterion = BY_DICE,
    ) -> None:
        self.run, self.weights, self.settings = run, dict(weights), dict(settings or {})
        self.criterion = criterion
        self.history = history(run)

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        metrics = with_weights(log, self.weights) | self.settings
        for name, value in metrics.items():
            self.history.setdefault(name, []).append((state.epoch, value))
        log_epoch(self.run, state.epoch, metrics)
        value = log.get(self.criterion.metric)
        if value is not None:
            self.run.result = value if self.criterion.better(value, state.best) else state.best


class ShowProgress(Hook):
    """A progress bar over all steps with ETA, loss and score; without one, a line an evaluation.

    Args:
        epochs: Of the whole training.
        every: Steps between two updates, each of which waits for the device.
        criterion: The score.
    """

    def __init__(self, *, epochs: int, every: int, criterion: Criterion = BY_DICE) -> None:
        self.epochs, self.every, self.criterion = epochs, every, criterion
        self.bar: Any = None
        self.score = ""

    def on_step(self, state: TrainingState, loss: Loss, done: int, total: int) -> None:
        if self.bar is None:
            self.bar = tqdm(
                total=self.epochs * total,
                initial=state.epoch * total + done - 1,
                unit="step",
                desc="training",
                disable=terminal_columns() is None,
                ncols=terminal_columns(),
            )
        self.bar.update(1)
        if done % self.every == 0 and not self.bar.disable:
            epoch = f"epoch {state.epoch + 1}/{self.epochs}"
            self.bar.set_postfix_str(f"{epoch}, loss {float(loss.total):.3f}{self.score}")

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        if self.criterion.metric in log:
            self.score = f", {self.criterion.title} {log[self.criterion.metric]:.3f}"
            if terminal_columns() is None:
                logger.info(
                    "epoch %d/%d: loss %.4f%s, %.1f pairs/s",
                    state.epoch,
                    self.epochs,
                    log["train/loss"],
                    self.score,
                    log["pairs_per_second"],
                )
        # Resumed between its last step and its end, an epoch ends without a step.
        if self.bar is not None and (state.epoch >= self.epochs or state.stop):
            self.bar.close()
