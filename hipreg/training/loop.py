"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, TypeVar, cast

import torch
from torch import nn
from torch.optim import Optimizer

from hipreg.losses import Loss, Objective
from hipreg.training import distributed
from hipreg.training.averaging import WeightAverage
from hipreg.training.schedule import learning_rate
from hipreg.training.step import Registrar, training_step
from hipreg.types import Pair

B = TypeVar("B", bound=Sized)
"""A batch, whose length is the number of its items."""


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
class EpochSoFar:
    """What the running epoch has come to, so that it can be broken off after any step.

    Attributes:
        steps: Steps done.
        sums: Losses summed over pairs by name, which do not wait for the device.
        pairs: Pairs they are summed over.
        waited: Seconds spent waiting for data.
        seconds: Seconds spent.
    """

    steps: int = 0
    sums: dict[str, torch.Tensor] = field(default_factory=dict)
    pairs: int = 0
    waited: float = 0.0
    seconds: float = 0.0

    def add(self, loss: Loss, pairs: int) -> None:
        """Count one more step."""
        for name, value in {"": loss.total, **loss.terms}.items():
            self.sums[name] = self.sums.get(name, 0) + value * pairs
        self.pairs += pairs
        self.steps += 1

    def log(self) -> dict[str, float]:
        """Mean losses and speed, over all processes."""
        asked = time.perf_counter()
        sums, pairs = distributed.share_sums(self.sums, self.pairs)
        means = {
            f"train/loss/{name}" if name else "train/loss": float(value) / pairs
            for name, value in sums.items()
        }
        self.seconds += time.perf_counter() - asked  # until the device has done the last step
        return means | {
            "pairs_per_second": pairs / self.seconds,
            "data_share": self.waited / self.seconds,
            "epoch_seconds": self.seconds,
        }


@dataclass(slots=True)
class TrainingState:
    """What training changes.

    Attributes:
        net: The network.
        optimizer: Its optimiser.
        epoch: Epochs finished.
        best: Best value of what chooses the weights so far, None before the first evaluation.
        stop: Set by a hook to end training after the running epoch.
        so_far: The running epoch; None between two epochs.
        average: Of the network's weights over the last steps, used in their place; None for the
            weights themselves.
    """

    net: nn.Module
    optimizer: Optimizer
    epoch: int = 0
    best: float | None = None
    stop: bool = False
    so_far: EpochSoFar | None = None
    average: WeightAverage | None = None

    @contextmanager
    def as_used(self) -> Iterator[None]:
        """Let the network have the weights that it is evaluated and used with."""
        with nullcontext() if self.average is None else self.average.in_use():
            yield

    def state_dict(self) -> dict[str, Any]:
        """Plain values to resume from, beside the network's weights; in mid-epoch too.

        Of several processes, the leading one's share of the running epoch's sums stands for all.
        """
        return {
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "best": self.best,
            "so_far": None if self.so_far is None else asdict(self.so_far),
        } | ({} if self.average is None else {"average": self.average.state_dict()})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue where ``state_dict`` was taken."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.best = state["epoch"], state["best"]
        so_far = state.get("so_far")
        self.so_far = None if so_far is None else EpochSoFar(**so_far)
        if self.average is not None:
            self.average.load_state_dict(state["average"])


class Hook:
    """What may happen around epochs and steps; override what is needed."""

    def on_step(self, state: TrainingState, loss: Loss, done: int, total: int) -> None:
        """After step ``done`` of the ``total`` steps of this epoch."""

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        """After an epoch; ``log`` holds its numbers, and what a hook adds later hooks see."""


def train(
    state: TrainingState,
    objective: Objective,
    batches: Callable[[int], Iterable[Pair]],
    recipe: Recipe,
    *,
    steps_per_epoch: int,
    hooks: Sequence[Hook] = (),
) -> None:
    """Train a network that registers, see ``train_by``.

    Args:
        state: Of a registration network; changed in place.
        objective: What is minimised.
        batches: From an epoch's number to its batches.
        recipe: How.
        steps_per_epoch: Number of batches of an epoch.
        hooks: Called in order after each step and each epoch.
    """

    def step(pair: Pair) -> Loss:
        return training_step(
            cast("Registrar", state.net),
            pair,
            objective,
            state.optimizer,
            symmetric=recipe.symmetric,
            precision=recipe.precision,
        )

    train_by(step, state, batches, recipe, steps_per_epoch=steps_per_epoch, hooks=hooks)


def train_by(
    step: Callable[[B], Loss],
    state: TrainingState,
    batches: Callable[[int], Iterable[B]],
    recipe: Recipe,
    *,
    steps_per_epoch: int,
    hooks: Sequence[Hook] = (),
) -> None:
    """Train until ``recipe.epochs`` epochs are done or a hook sets ``state.stop``.

    Args:
        step: Updates the state's network by a batch and returns the loss of before.
        state: Changed in place; one that was resumed goes on from its epoch.
        batches: From an epoch's number to its batches.
        recipe: How many epochs, and the learning rate of each step.
        steps_per_epoch: Number of batches of an epoch.
        hooks: Called in order after each step and each epoch.

    Of several processes (see ``hipreg.training.distributed``), each passes its shares of all
    batches; losses are those of the whole batches, and the leading one says when to stop.

    What a hook raises leaves the state as it was after the last step that is done, with the epoch
    still running: resumed from there, the epoch goes on, and ends (again) with its hooks.
    """
    while state.epoch < recipe.epochs and not state.stop:
        rate = _steps(step, state, batches(state.epoch), recipe, steps_per_epoch, hooks)
        so_far, state.so_far = state.so_far or EpochSoFar(), None
        state.epoch += 1
        try:
            log = so_far.log() | {"learning_rate": rate}
            for hook in hooks:
                hook.on_epoch_end(state, log)
        except BaseException:
            state.epoch, state.so_far = state.epoch - 1, so_far
            raise
        state.stop = distributed.word_of_leader(state.stop)


def _steps(
    step: Callable[[B], Loss],
    state: TrainingState,
    batches: Iterable[B],
    recipe: Recipe,
    steps_per_epoch: int,
    hooks: Sequence[Hook],
) -> float:
    """Do the steps of the running epoch that are still to be done; returns the learning rate."""
    state.net.train()
    state.so_far = so_far = state.so_far or EpochSoFar()
    rate = _set_rate(state, recipe, max(0, so_far.steps - 1) / steps_per_epoch)
    source = islice(batches, so_far.steps, None)
    while so_far.steps < steps_per_epoch:
        asked = time.perf_counter()
        batch = next(source)
        so_far.waited += time.perf_counter() - asked
        rate = _set_rate(state, recipe, so_far.steps / steps_per_epoch)
        loss = step(batch)
        if state.average is not None:
            state.average.update()
        so_far.add(loss, len(batch))
        for hook in hooks:
            hook.on_step(state, loss, so_far.steps, steps_per_epoch)
        so_far.seconds += time.perf_counter() - asked
    return rate


def _set_rate(state: TrainingState, recipe: Recipe, share: float) -> float:
    progress = (state.epoch + share) / recipe.epochs
    rate = learning_rate(recipe.schedule, recipe.learning_rate, progress)
    for group in state.optimizer.param_groups:
        group["lr"] = rate
    return rate
