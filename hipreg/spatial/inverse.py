"""Inverses and means of deformations."""

from __future__ import annotations

from hipreg.spatial.warp import warp_held
from hipreg.types import Displacement

RELAXATION = 0.75
"""Share of each fixed-point step that is taken: slower on gentle deformations, and convergent on
steep ones on which whole steps run to and fro."""


def compose(outer: Displacement, inner: Displacement) -> Displacement:
    """The displacement of ``x -> y + outer(y)`` with ``y = x + inner(x)``.

    Beyond its grid the nearest value of ``outer`` goes on.

    Args:
        outer: (B, 3, D, H, W) in voxels.
        inner: (B, 3, D, H, W) in voxels.

    Returns:
        (B, 3, D, H, W) in voxels.
    """
    return inner + warp_held(outer, inner)


def invert(
    displacement: Displacement, *, steps: int = 60, tolerance: float = 1e-3
) -> Displacement:
    """The displacement that undoes another one, by fixed-point iteration (Chen et al. 2008).

    Where the deformation folds there is no inverse, and the result is a compromise:
    ``compose(displacement, invert(displacement))`` says how far from 0 it stays.

    Args:
        displacement: (B, 3, D, H, W) in voxels.
        steps: At most so many iterations.
        tolerance: Voxels; the iteration ends when no step is larger.

    Returns:
        (B, 3, D, H, W) in voxels: w with ``w(x) = -displacement(x + w(x))``.
    """
    inverse = -displacement
    for _ in range(steps):
        step = warp_held(displacement, inverse) + inverse
        inverse = inverse - RELAXATION * step
        if float(step.abs().max()) <= tolerance:
            break
    return inverse


def mean_of_directions(there: Displacement, back: Displacement) -> Displacement:
    """One displacement from the registrations of a pair in both directions.

    The mean of ``there`` and of the inverse of ``back``. Exchanging the images gives, up to second
    order in the difference of the two, the inverse of the result.

    Args:
        there: (B, 3, D, H, W), moving to fixed, in voxels on the fixed grid.
        back: (B, 3, D, H, W), fixed to moving, in voxels on the moving grid.

    Returns:
        (B, 3, D, H, W) in voxels on the fixed grid.
    """
    return (there + invert(back)) / 2
