"""Displacements of velocities that fold nowhere.

The flow of a smooth velocity never folds; where a velocity turns from one point of its grid to the
next, the displacement that is interpolated between them may.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from hipreg.spatial import VelocityIntegration, jacobian_determinant
from hipreg.types import Displacement

LEAST = 0.01
"""Volume that a voxel keeps at least: rounding makes no fold of it. Uncertain borders of labels
are pressed to little more."""

ROUNDS = 30
"""At most so many smoothings."""

PATIENCE = 5
"""Smoothings at the folding points alone, then as many with those next to them, and so on: what is
smoothed loses overlap, and few folds need more than their own points."""


def unfolded(velocity: Float[Tensor, "B 3 d h w"], transform: VelocityIntegration) -> Displacement:
    """The displacements of velocities, which are smoothed at folds until there are none.

    What does not fold is returned as it is.

    Args:
        velocity: (B, 3, d, h, w) in voxels of the full grid.
        transform: From velocities to displacements.

    Returns:
        (B, 3, D, H, W) in voxels.
    """
    displacement = transform(velocity)
    velocity = velocity.clone()
    rows = torch.arange(len(velocity), device=velocity.device)
    for done in range(ROUNDS):
        folds = jacobian_determinant(displacement[rows]) < LEAST
        folding = folds.flatten(1).any(1)
        rows, folds = rows[folding], folds[folding]
        if len(rows) == 0:
            break
        velocity[rows] = _smoothed(velocity[rows], folds, reach=done // PATIENCE)
        displacement[rows] = transform(velocity[rows])
    return displacement


def _smoothed(
    velocity: Float[Tensor, "B 3 d h w"], folds: Bool[Tensor, "B D-2 H-2 W-2"], *, reach: int
) -> Float[Tensor, "B 3 d h w"]:
    """The velocities, up to some points from a fold with the mean of their neighbours instead."""
    at = F.pad(folds[:, None].to(velocity), (1, 1, 1, 1, 1, 1))
    near = F.adaptive_max_pool3d(at, velocity.shape[2:])
    near = F.max_pool3d(near, 2 * reach + 1, stride=1, padding=reach)
    mean = F.avg_pool3d(velocity, 3, stride=1, padding=1, count_include_pad=False)
    return velocity.lerp(mean, near)
