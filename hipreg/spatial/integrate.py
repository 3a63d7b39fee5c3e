"""From predicted spatial gradients to a displacement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from hipreg import native
from hipreg.spatial.axis import apply_along
from hipreg.types import Displacement, Size

IDENTITY_GRADIENT = 0.5
"""The gradient of the identity: twice this is one voxel of position a voxel."""


def integrate_gradients(
    gradient: Float[Tensor, "B 3 d h w"],
    *,
    size: Size,
    upsampling: Literal["nearest", "linear"] = "nearest",
) -> Displacement:
    """Integrate spatial gradients, each component along its own axis (Estienne et al. 2020).

    With N voxels along an axis, the sampling position of voxel i in normalised coordinates is
    ``(4 * sum(g[0..i]) - 2) / (N - 1) - 1``, that is ``2 * sum(g[0..i]) - 1`` in voxels. Positive
    gradients therefore never fold a line on itself along its own axis.

    A coarse gradient stands for its upsampling. Only the component's own axis is integrated, on
    coarse lines; the other two are upsampled afterwards, which is the same at a fraction of the
    work.

    Args:
        gradient: (B, 3, d, h, w) in (0, 1), 0.5 for the identity; its size divides ``size``.
        size: Voxels D, H, W of the full grid.
        upsampling: ``nearest`` as published, or ``linear``, without steps between coarse voxels.

    Returns:
        (B, 3, D, H, W) displacement in voxels.

    Raises:
        ValueError: If ``gradient`` is not (B, 3, d, h, w), or its size does not divide ``size``.
    """
    if gradient.ndim != 5 or gradient.shape[1] != 3:
        raise ValueError(f"a gradient is (B, 3, d, h, w), got {tuple(gradient.shape)}")
    d, h, w = gradient.shape[2:]
    coarse = (d, h, w)
    if any(full % part for full, part in zip(size, coarse, strict=True)):
        raise ValueError(f"a gradient of size {coarse} does not divide the grid {size}")
    deviation = gradient.float() - IDENTITY_GRADIENT
    if native.usable(deviation):
        steps = _steps(coarse, size, upsampling)
        result: Tensor = _Integrate.apply(deviation, *steps, size)  # type: ignore[no-untyped-call]
        return result
    components = []
    for axis in range(3):
        component = deviation[:, axis]
        for other in range(3):
            if other == axis or coarse[other] != size[other]:
                operator = _operator(coarse[other], size[other], upsampling, component.device)
                operator = 2 * operator.cumsum(0) if other == axis else operator
                component = apply_along(operator, component, other - 3)
        components.append(component)
    return torch.stack(components, dim=1)


class _Integrate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, deviation: Tensor, first: Tensor, share: Tensor, size: Size) -> Tensor:
        ctx.save_for_backward(first, share)
        ctx.coarse = tuple(deviation.shape[2:])
        return native.integrate(deviation, first, share, size)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None, None]:
        first, share = ctx.saved_tensors
        return native.integrate_adjoint(upstream, first, share, ctx.coarse), None, None, None


def _positions(coarse: int, full: int, upsampling: str) -> Float[Tensor, " full"]:
    """Where the full grid's voxels lie among the coarse ones, the outer of which are repeated."""
    position = (torch.arange(full) + 0.5) * coarse / full - 0.5
    if upsampling == "nearest":
        position = position.round()
    return position.clamp(0, coarse - 1)


@cache
def _steps(coarse: Size, size: Size, upsampling: str) -> tuple[Tensor, Tensor]:
    """Lower neighbour and share of the next one, for the voxels of D, H and W in a row."""
    # Tensors of inference mode could never serve a training that comes after an evaluation.
    with torch.inference_mode(False):
        axes = [_positions(a, b, upsampling) for a, b in zip(coarse, size, strict=True)]
        position = torch.cat(axes)
        return position.floor().int(), position.frac()


@cache
def _operator(coarse: int, full: int, upsampling: str, device: torch.device) -> Tensor:
    """``upsample_matrix`` on a device, made and moved there once."""
    with torch.inference_mode(False):  # see _steps
        return upsample_matrix(coarse, full, upsampling).to(device)  # type: ignore[arg-type]


def upsample_matrix(
    coarse: int, full: int, upsampling: Literal["nearest", "linear"]
) -> Float[Tensor, "full coarse"]:
    """Upsampling along one axis by a whole factor, as an operator for ``apply_along``.

    Linear upsampling puts coarse values at the centres of their voxels and repeats the outer ones.
    """
    position = _positions(coarse, full, upsampling)
    distance = position[:, None] - torch.arange(coarse)[None]
    return (1 - distance.abs()).clamp(min=0)


@dataclass(frozen=True, slots=True)
class GradientIntegration:
    """``integrate_gradients`` onto one grid, as a network's transform.

    Attributes:
        size: Voxels D, H, W of the full grid.
        upsampling: See ``integrate_gradients``.
    """

    size: Size
    upsampling: Literal["nearest", "linear"] = "nearest"

    @property
    def identity(self) -> float:
        """The parameter of the identity."""
        return IDENTITY_GRADIENT

    def __call__(self, parameters: Float[Tensor, "B 3 d h w"]) -> Displacement:
        """The displacement of these gradients."""
        return integrate_gradients(parameters, size=self.size, upsampling=self.upsampling)
