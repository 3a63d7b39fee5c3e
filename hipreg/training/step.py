"""One optimisation step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch.optim import Optimizer

from hipreg.losses import Loss, Objective
from hipreg.training import distributed
from hipreg.types import Image, Pair, Registration

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
    optimizer.zero_grad(set_to_none=True)
    if distributed.connected() and len(pair.fixed) == 0:
        loss = _nothing(objective, pair.fixed.device)
    else:
        loss, _ = evaluate_objective(
            net, pair, objective, symmetric=symmetric, precision=precision
        )
        loss.total.backward()  # type: ignore[no-untyped-call]
    if distributed.connected():
        trained = [p for group in optimizer.param_groups for p in group["params"]]
        loss = distributed.share_step(trained, loss, pairs=len(pair.fixed))
    optimizer.step()
    return Loss(loss.total.detach(), loss.terms)


def _nothing(objective: Objective, device: torch.device) -> Loss:
    zero = torch.zeros((), device=device)
    return Loss(zero, dict.fromkeys(objective.weights, zero))
