"""From a stationary velocity to the displacement of flowing along it for a unit of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from hipreg import native
from hipreg.spatial.axis import apply_along
from hipreg.spatial.integrate import upsample_matrix
from hipreg.spatial.warp import warp_held
from hipreg.types import Displacement, Size

SQUARINGS = 6
"""Doublings of the time: the first step is a 64th of the whole."""


def exponential(
    velocity: Float[Tensor, "B 3 d h w"], *, squarings: int = SQUARINGS
) -> Float[Tensor, "B 3 d h w"]:
    """The displacement of a stationary velocity, by scaling and squaring (Arsigny et al. 2006).

    The flow of -velocity is its inverse. Beyond the grid the nearest velocity goes on.

    Args:
        velocity: (B, 3, d, h, w) in voxels of this grid a unit of time.
        squarings: Doublings of the time.

    Returns:
        (B, 3, d, h, w) in voxels of this grid.
    """
    if native.usable(velocity):
        result: Tensor = _Exponential.apply(velocity, squarings)  # type: ignore[no-untyped-call]
        return result
    displacement = velocity * math.ldexp(1.0, -squarings)
    for _ in range(squarings):
        displacement = displacement + warp_held(displacement, displacement)
    return displacement


class _Exponential(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, velocity: Tensor, squarings: int) -> Tensor:
        displacement, states = native.exponential(velocity, squarings=squarings)
        ctx.save_for_backward(states)
        ctx.squarings = squarings
        return displacement

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (states,) = ctx.saved_tensors
        return native.exponential_slope(states, upstream, squarings=ctx.squarings), None


def upsample(field: Float[Tensor, "B C d h w"], size: Size) -> Float[Tensor, "B C D H W"]:
    """Interpolate linearly onto a grid that is finer by a whole factor, voxels split evenly.

    Args:
        field: (B, C, d, h, w); values are kept, whatever their unit.
        size: D, H, W, multiples of d, h, w.

    Raises:
        ValueError: If they are none.
    """
    coarse = tuple(field.shape[2:])
    if any(full % part for full, part in zip(size, coarse, strict=True)):
        raise ValueError(f"a field of size {coarse} does not divide the grid {size}")
    for axis in (2, 1, 0):
        if coarse[axis] != size[axis]:
            operator = _operator(coarse[axis], size[axis], field.device, field.dtype)
            field = apply_along(operator, field, axis - 3)
    return field


@cache
def _operator(coarse: int, full: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    # A tensor of inference mode could never serve a gradient that comes after an evaluation.
    with torch.inference_mode(False):
        return upsample_matrix(coarse, full, "linear").to(device, dtype)


@dataclass(frozen=True, slots=True)
class VelocityIntegration:
    """Scaling and squaring on the velocity's own grid, upsampled to the full one: a transform.

    Velocities are in voxels of the full grid; the identity's is 0, and the inverse of v's
    displacement is that of -v.

    Attributes:
        size: Voxels D, H, W of the full grid.
        squarings: See ``exponential``.
    """

    size: Size
    squarings: int = SQUARINGS

    @property
    def identity(self) -> float:
        """The parameter of the identity."""
        return 0.0

    def __call__(self, parameters: Float[Tensor, "B 3 d h w"]) -> Displacement:
        """The displacement of these velocities, in voxels of the full grid.

        Raises:
            ValueError: If they are not (B, 3, d, h, w), or their size does not divide the grid.
        """
        if parameters.ndim != 5 or parameters.shape[1] != 3:
            raise ValueError(f"a velocity is (B, 3, d, h, w), got {tuple(parameters.shape)}")
        edge = self.edge(parameters)
        velocity = parameters if parameters.dtype == torch.float64 else parameters.float()
        return upsample(exponential(velocity / edge, squarings=self.squarings) * edge, self.size)

    def edge(self, parameters: Float[Tensor, "B 3 d h w"]) -> Float[Tensor, "1 3 1 1 1"]:
        """Voxels of the full grid along each edge of a voxel of the velocity's grid."""
        ratios = [n / m for n, m in zip(self.size, parameters.shape[2:], strict=True)]
        return torch.tensor(ratios, device=parameters.device).view(1, 3, 1, 1, 1)
