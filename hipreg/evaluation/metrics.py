"""Overlap of hard labels and the warp that carries them, as in the challenge's evaluator."""

from __future__ import annotations

from math import nan, nextafter
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Integer

from hipreg.evaluation.surface import bounding_box

LabelVolume = Integer[np.ndarray, "D H W"]
"""Hard labels of one case; 0 is background."""

DisplacementField = Float[np.ndarray, "3 D H W"]
"""Voxels, on the fixed grid, pull-back; axis order D, H, W."""


def warp_label(moving_label: LabelVolume, displacement: DisplacementField) -> LabelVolume:
    """Carry a label map to the fixed grid: ``warped(x) = moving_label(x + displacement(x))``.

    The same as SciPy's ``map_coordinates`` of order 0 (nearest voxel, halves rounded up,
    background wherever the position leaves the moving grid), but it only looks closely at the
    few positions that can reach a label.

    Args:
        moving_label: (D, H, W).
        displacement: (3, D, H, W) in voxels.

    Returns:
        (D, H, W) of the type of ``moving_label``.

    Raises:
        ValueError: If the shapes do not belong together or the displacement is not finite.
    """
    check_displacement(displacement, moving_label.shape)
    size = moving_label.shape
    strides = (size[1] * size[2], size[2], 1)
    warped = np.zeros_like(moving_label, order="C")
    box = bounding_box(moving_label != 0)
    if box is None:
        return warped
    # Axis by axis, only for the voxels whose position may still round to a labelled one.
    asked = np.arange(moving_label.size)
    source = np.zeros_like(asked)
    for field, along, length, stride in zip(displacement, box, size, strides, strict=True):
        positions = field.ravel()[asked] + asked // stride % length
        # Halves round up, so the upper end is open; beyond the outermost voxel is background.
        low, high = max(along.start - 0.5, 0), min(nextafter(along.stop - 0.5, 0), length - 1)
        inside = np.flatnonzero((positions >= low) & (positions <= high))
        nearest = np.floor(positions[inside] + 0.5).astype(np.intp)
        asked, source = asked[inside], source[inside] + nearest * stride
    warped.ravel()[asked] = moving_label.ravel()[source]
    return warped


def check_displacement(displacement: np.ndarray[Any, Any], size: tuple[int, ...]) -> None:
    """Refuse a displacement that does not fit the grid or holds values that are no positions.

    Args:
        displacement: (3, D, H, W) in voxels.
        size: The grid's (D, H, W).

    Raises:
        ValueError: Naming the shapes, or the number of values that are not finite.
    """
    if len(size) != 3 or displacement.shape != (3, *size):
        raise ValueError(
            f"a volume (D, H, W) needs a displacement (3, D, H, W), got {tuple(size)} and "
            f"{displacement.shape}"
        )
    if not np.issubdtype(displacement.dtype, np.floating):
        raise ValueError(f"a displacement is floating-point, got {displacement.dtype}")
    # One pass decides the usual case: any nan or inf survives in the sum.
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(displacement.sum(dtype=np.float64))
    if not finite:
        bad = displacement.size - np.count_nonzero(np.isfinite(displacement))
        if bad:
            raise ValueError(f"a displacement is finite, got {bad} values that are nan or inf")


def dice(fixed: Bool[np.ndarray, "D H W"], warped: Bool[np.ndarray, "D H W"]) -> float:
    """Twice the shared volume over the sum of volumes (Dice, Ecology 1945).

    Args:
        fixed: (D, H, W).
        warped: (D, H, W), on the same grid.

    Returns:
        0 to 1; nan when both masks are empty.

    Raises:
        ValueError: If the masks differ in shape or are not boolean.
    """
    if fixed.shape != warped.shape or fixed.dtype != np.bool_ or warped.dtype != np.bool_:
        raise ValueError(
            f"dice needs two boolean masks of one shape, got {fixed.dtype} {fixed.shape} and "
            f"{warped.dtype} {warped.shape}"
        )
    volumes = np.count_nonzero(fixed) + np.count_nonzero(warped)
    return 2 * np.count_nonzero(fixed & warped) / volumes if volumes else nan
