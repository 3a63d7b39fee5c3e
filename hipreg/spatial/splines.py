"""Smooth volumes from few numbers: uniform cubic B-splines, and other maps along each axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from hipreg.types import Size

INJECTIVE = 1 / 2.48
"""Coefficients of a displacement below this share of their spacing cannot fold it (Choi and Lee,
Injectivity conditions of 2D and 3D uniform cubic B-spline functions, Graphical Models 2000)."""


def control_points(size: Size, spacing: float) -> Size:
    """How many coefficients a spline over a grid has along each axis.

    Args:
        size: Voxels D, H, W.
        spacing: Voxels between two coefficients.
    """
    d, h, w = (math.ceil((n - 1) / spacing) + 3 for n in size)
    return d, h, w


def spline_volume(
    coefficients: Float[Tensor, "C d h w"], size: Size, *, spacing: float
) -> Float[Tensor, "C D H W"]:
    """Splines at every voxel; twice continuously differentiable, within their coefficients' range.

    Args:
        coefficients: (C, *control_points(size, spacing)).
        size: Voxels D, H, W of the result.
        spacing: Voxels between two coefficients; the middle ones surround the grid's middle.
    """
    device = coefficients.device
    return along_axes(coefficients, [_spline_matrix(n, spacing).to(device) for n in size])


def along_axes(
    volumes: Float[Tensor, "C d h w"], matrices: Sequence[Float[Tensor, "_ _"]]
) -> Float[Tensor, "C D H W"]:
    """Multiply each axis with a matrix of its own: (D, d), (H, h) and (W, w)."""
    first, second, third = matrices
    # The last axis first: while the others are still short, that is the least work.
    found = volumes @ third.T
    found = second @ found
    c, d, h, w = found.shape
    return (first @ found.reshape(c, d, h * w)).reshape(c, len(first), h, w)


def gaussian_matrix(n: int, sigma: float) -> Float[Tensor, "n n"]:
    """Smooths one axis of n voxels by a Gaussian (sigma in voxels); its rows sum to 1."""
    distance = torch.arange(n, dtype=torch.float32)
    weights = torch.exp(-((distance[:, None] - distance) ** 2) / (2 * max(sigma, 1e-3) ** 2))
    return weights / weights.sum(1, keepdim=True)


@cache
def _spline_matrix(n: int, spacing: float) -> Float[Tensor, "n p"]:
    """Values of the cubic B-splines of one axis at its voxels."""
    count = math.ceil((n - 1) / spacing) + 3
    knots = torch.arange(count, dtype=torch.float64) - (count - 1) / 2
    voxels = (torch.arange(n, dtype=torch.float64) - (n - 1) / 2) / spacing
    t = (voxels[:, None] - knots).abs()
    inner = 2 / 3 - t**2 + t**3 / 2
    outer = (2 - t).clamp(min=0) ** 3 / 6
    return torch.where(t < 1, inner, outer).float()
