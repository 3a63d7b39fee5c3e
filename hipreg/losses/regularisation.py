"""Penalties on how far a predicted deformation is from the identity."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def l1_penalty(deviation: Float[Tensor, "B 3 D H W"]) -> Float[Tensor, " B"]:
    """Mean absolute deviation of the gradient from that of the identity."""
    return deviation.abs().mean((-4, -3, -2, -1))


def l2_penalty(deviation: Float[Tensor, "B 3 D H W"]) -> Float[Tensor, " B"]:
    """Mean squared deviation of the gradient from that of the identity."""
    return deviation.square().mean((-4, -3, -2, -1))
