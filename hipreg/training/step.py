"""One optimisation step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import nn
from torch.optim import Optimizer

from hipreg.losses import Loss, Objective, segmentation_loss
from hipreg.training import distributed
from hipreg.types import Image, Labelled, Pair, Registration

PRECISIONS = ("float32", "bfloat16")


class Registrar(Protocol):
    """What training and evaluation need of a network."""

    def __call__(self, moving: Image, fixed: Image) -> Registration: ...

    def both_directions(self, moving: Image, fixed: Image) -> Registration: ...


@contextmanager
def autocast(device: torch.device, precision: str) -> Iterator[None]:
    """Run the network in a precision; losses and integration stay in float32.

    Raises:
        ValueError: If the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {PRECISIONS}, got {precision!r}")
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        yield


def evaluate_objective(
    net: Registrar, pair: Pair, objective: Objective, *, symmetric: bool, precision: str
) -> tuple[Loss, Registration]:
    """Register a batch and evaluate the objective on it.

    With ``symmetric``, the registration and the loss hold both directions (batch 2B).
    """
    with autocast(pair.fixed.device, precision):
        register = net.both_directions if symmetric else net
        registration = register(pair.moving, pair.fixed)
    return objective(registration, pair.both_directions() if symmetric else pair), registration


def training_step(
    net: Registrar,
    pair: Pair,
    objective: Objective,
    optimizer: Optimizer,
    *,
    symmetric: bool,
    precision: str,
) -> Loss:
    """Forward, backward and update; the loss is that of before the update.

    Of several processes (see ``hipreg.training.distributed``), each has its share of a batch, and
    makes the update of the whole batch.
    """

    def evaluate() -> Loss:
        loss, _ = evaluate_objective(
            net, pair, objective, symmetric=symmetric, precision=precision
        )
        return loss

    return optimise(evaluate, optimizer, count=len(pair), terms=tuple(objective.weights))


def optimise(
    evaluate: Callable[[], Loss], optimizer: Optimizer, *, count: int, terms: Sequence[str]
) -> Loss:
    """Backward and update of any loss.

    Args:
        evaluate: The loss of this process's share of a batch.
        optimizer: Of what is trained.
        count: Items of the share; ``evaluate`` is not called where there are none.
        terms: The names of the loss's terms.

    Returns:
        The loss of the whole batch before the update, detached.

    Raises:
        LostProcessError: If another process of the training is gone.
    """
    optimizer.zero_grad(set_to_none=True)
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    if distributed.connected() and count == 0:
        zero = torch.zeros((), device=trained[0].device)
        loss = Loss(zero, dict.fromkeys(terms, zero))
    else:
        loss = evaluate()
        loss.total.backward()  # type: ignore[no-untyped-call]
    if distributed.connected():
        loss = distributed.share_step(trained, loss, pairs=count)
    optimizer.step()
    return Loss(loss.total.detach(), loss.terms)


def segmentation_step(
    net: nn.Module,
    batch: Labelled,
    optimizer: Optimizer,
    *,
    weights: Mapping[str, float],
    precision: str,
) -> Loss:
    """``training_step`` of a network that labels images.

    Args:
        net: From images to logits.
        batch: Images and targets.
        optimizer: Of the network.
        weights: Of the terms of ``hipreg.losses.segmentation``.
        precision: See ``PRECISIONS``.
    """

    def evaluate() -> Loss:
        with autocast(batch.images.device, precision):
            logits = net(batch.images)
        return segmentation_loss(logits, batch.targets, weights)

    return optimise(evaluate, optimizer, count=len(batch), terms=tuple(weights))
