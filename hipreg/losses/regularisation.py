"""Penalties on how far a predicted deformation is from the identity, or from a smooth one."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from hipreg.types import Displacement


def l1_penalty(deviation: Float[Tensor, "B 3 D H W"]) -> Float[Tensor, " B"]:
    """Mean absolute deviation of the gradient from that of the identity."""
    return deviation.abs().mean((-4, -3, -2, -1))


def l2_penalty(deviation: Float[Tensor, "B 3 D H W"]) -> Float[Tensor, " B"]:
    """Mean squared deviation of the gradient from that of the identity."""
    return deviation.square().mean((-4, -3, -2, -1))


def bending_penalty(field: Float[Tensor, "B 3 D H W"]) -> Float[Tensor, " B"]:
    """Sum of a field's mean squared second derivatives (Rueckert et al. 1999); 0 for affine ones.

    Args:
        field: (B, 3, D, H, W), at least three voxels along each axis.

    Returns:
        (B,), the sum of the nine second differences' mean squares over components and voxels.
    """
    total = field.new_zeros(len(field))
    for axis in (2, 3, 4):
        straight = field.diff(n=2, dim=axis).square().mean((1, 2, 3, 4))
        other = 2 + (axis - 1) % 3
        mixed = field.diff(dim=axis).diff(dim=other).square().mean((1, 2, 3, 4))
        total = total + straight + 2 * mixed
    return total


def diffusion_penalty(displacement: Displacement) -> Float[Tensor, " B"]:
    """Mean squared spatial derivative of a displacement (Balakrishnan et al. 2019).

    Spatial gradients that are integrated along their own axes alone leave the shear between
    neighbouring lines free; this penalty does not.

    Args:
        displacement: (B, 3, D, H, W) in voxels.

    Returns:
        (B,), mean over axes, components and voxels of the squared forward difference.
    """
    means = [displacement.diff(dim=axis).square().mean((1, 2, 3, 4)) for axis in (2, 3, 4)]
    return (means[0] + means[1] + means[2]) / 3


def divergence_penalty(
    velocity: Float[Tensor, "B 3 d h w"], edge: Float[Tensor, "1 3 1 1 1"]
) -> Float[Tensor, " B"]:
    """Mean squared divergence of a stationary velocity.

    Along the flow of a velocity the logarithm of the Jacobian determinant is the integral of its
    divergence: this holds volume changes down, whose spread SDlogJ measures, and leaves shear and
    rotation free, where ``diffusion_penalty`` takes all alike.

    Args:
        velocity: (B, 3, d, h, w) in voxels of the full grid.
        edge: (1, 3, 1, 1, 1), voxels of the full grid between two of the velocity's.

    Returns:
        (B,), mean over the voxels within the border of the squared sum of central differences.
    """
    slopes = [
        (velocity[:, axis].roll(-1, 1 + axis) - velocity[:, axis].roll(1, 1 + axis))
        / (2 * edge[:, axis])
        for axis in range(3)
    ]
    divergence = (slopes[0] + slopes[1] + slopes[2])[:, 1:-1, 1:-1, 1:-1]
    return divergence.square().mean((1, 2, 3))
