"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.optim import Optimizer

from hipreg.losses import Loss, Objective
from hipreg.models.registration_net import RegistrationNet
from hipreg.training import distributed
from hipreg.training.schedule import learning_rate
from hipreg.training.step import training_step
from hipreg.types import Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the objective is minimised; the defaults are those of arXiv 2010.10897.

    Attributes:
        epochs: Passes over the training cases.
        learning_rate: Of Adam, at its highest.
        schedule: See ``hipreg.training.schedule.SCHEDULES``.
        symmetric: Register both directions in every step.
        precision: ``float32`` or ``bfloat16``, of the network; the losses are float32.
    """

    epochs: int = 600
    learning_rate: float = 1e-4
    schedule: str = "constant"
    symmetric: bool = False
    precision: str = "float32"


@dataclass(slots=True)
class TrainingState:
    """What training changes.

    Attributes:
        net: The network.
        optimizer: Its optimiser.
        epoch: Epochs finished.
        best: Highest selection Dice so far, None before the first evaluation.
        stop: Set by a hook to end training after the running epoch.
    """

    net: RegistrationNet
    optimizer: Optimizer
    epoch: int = 0
    best: float | None = None
    stop: bool = False

    def state_dict(self) -> dict[str, Any]:
        """Plain values to resume from, beside the network's weights."""
        return {"optimizer": self.optimizer.state_dict(), "epoch": self.epoch, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where ``state_dict`` was taken."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.best = state["epoch"], state["best"]


class Hook:
    """What may happen around epochs and steps; override what is needed."""

    def on_step(self, state: TrainingState, loss: Loss, done: int, total: int) -> None:
        """After step ``done`` of the ``total`` steps of this epoch."""

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        """After an epoch; ``log`` holds its numbers, and what a hook adds later hooks see."""


@dataclass(slots=True)
class _Means:
    """Running means of an epoch's losses that do not wait for the device."""

    sums: dict[str, torch.Tensor] = field(default_factory=dict)
    pairs: int = 0

    def add(self, loss: Loss, pairs: int) -> None:
        for name, value in {"": loss.total, **loss.terms}.items():
            self.sums[name] = self.sums.get(name, 0) + value * pairs
        self.pairs += pairs

    def over_processes(self) -> _Means:
        return _Means(*distributed.share_sums(self.sums, self.pairs))

    def named(self, prefix: str) -> dict[str, float]:
        return {
            f"{prefix}/{name}" if name else prefix: float(value) / self.pairs
            for name, value in self.sums.items()
        }


def train(
    state: TrainingState,
    objective: Objective,
    batches: Callable[[int], Iterable[Pair]],
    recipe: Recipe,
    *,
    steps_per_epoch: int,
    hooks: Sequence[Hook] = (),
) -> None:
    """Train until ``recipe.epochs`` epochs are done or a hook sets ``state.stop``.

    Args:
        state: Changed in place; one that was resumed goes on from its epoch.
        objective: What is minimised.
        batches: From an epoch's number to its batches.
        recipe: How.
        steps_per_epoch: Number of batches of an epoch.
        hooks: Called in order after each step and each epoch.

    Of several processes (see ``hipreg.training.distributed``), each passes its shares of all
    batches; losses are those of the whole batches, and the leading one says when to stop.
    """
    while state.epoch < recipe.epochs and not state.stop:
        state.net.train()
        means, waited, started = _Means(), 0.0, time.perf_counter()
        rate, source = recipe.learning_rate, iter(batches(state.epoch))
        for done in range(steps_per_epoch):
            asked = time.perf_counter()
            pair = next(source)
            waited += time.perf_counter() - asked
            progress = (state.epoch + done / steps_per_epoch) / recipe.epochs
            rate = learning_rate(recipe.schedule, recipe.learning_rate, progress)
            for group in state.optimizer.param_groups:
                group["lr"] = rate
            loss = training_step(
                state.net,
                pair,
                objective,
                state.optimizer,
                symmetric=recipe.symmetric,
                precision=recipe.precision,
            )
            means.add(loss, len(pair.fixed))
            for hook in hooks:
                hook.on_step(state, loss, done + 1, steps_per_epoch)
        state.epoch += 1
        means = means.over_processes()
        log = means.named("train/loss")
        seconds = time.perf_counter() - started
        log |= {
            "learning_rate": rate,
            "pairs_per_second": means.pairs / seconds,
            "data_share": waited / seconds,
            "epoch_seconds": seconds,
        }
        for hook in hooks:
            hook.on_epoch_end(state, log)
        state.stop = distributed.word_of_leader(state.stop)
