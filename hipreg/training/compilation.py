"""``torch.compile`` where it works, and the network as it is where it does not."""

from __future__ import annotations

import logging

import torch

from hipreg.models import PairNet
from hipreg.training.step import autocast
from hipreg.types import Image

logger = logging.getLogger(__name__)


def compile_network(net: PairNet, images: Image, *, symmetric: bool, precision: str) -> bool:
    """Compile a network's parts in place, by training once on images of the shape to come.

    Weights and their names stay as they are. Other shapes are compiled when they come.

    Args:
        net: In training mode; its gradients are dropped.
        images: (B, 1, D, H, W), whatever they show.
        symmetric: Whether both directions will be trained.
        precision: See ``hipreg.training.PRECISIONS``.

    Returns:
        Whether it is compiled. If not, a warning says why, once, and the network runs as it was.
    """
    parts = list(net.children())
    register = net.both_directions if symmetric else net
    try:
        for part in parts:
            part.compile()
        with autocast(images.device, precision):
            registration = register(images, images)
        sum(parameters.sum() for parameters in registration.parameters).backward()  # type: ignore
    except Exception as error:  # a compiler of its own, with errors of its own
        for part in parts:
            part._compiled_call_impl = None
        torch.compiler.reset()
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        logger.warning(
            "torch.compile failed, training goes on without it: %s: %s",
            type(error).__name__,
            reason,
        )
        return False
    finally:
        net.zero_grad(set_to_none=True)
    return True
