"""Linear operators along single axes of a volume, applied as matrix products.

Sums over windows and cumulative sums along an axis of 64 voxels are products with a 64 x 64 band
or triangular matrix. On CPU and GPU alike one such product costs less than a sliding-window or
scan kernel, because it runs at the speed of the matrix units and reads the volume once.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def apply_along(
    matrix: Float[Tensor, "m n"], volume: Float[Tensor, "*batch D H W"], axis: int
) -> Float[Tensor, "*batch D H W"]:
    """Multiply every line of a volume along one axis by a matrix.

    Args:
        matrix: (m, n) operator.
        volume: (..., D, H, W); the axis has n voxels.
        axis: -3, -2 or -1.

    Returns:
        (..., D, H, W) with m voxels along the axis.

    Raises:
        ValueError: If ``axis`` is not one of the three, or its length is not n.
    """
    if axis not in (-3, -2, -1):
        raise ValueError(f"axis must be -3, -2 or -1, got {axis}")
    if volume.shape[axis] != matrix.shape[1]:
        raise ValueError(
            f"a {tuple(matrix.shape)} operator needs {matrix.shape[1]} voxels along axis {axis}, "
            f"got a volume of {tuple(volume.shape)}"
        )
    with torch.autocast(volume.device.type, enabled=False):
        if axis == -1:
            return volume @ matrix.T
        if axis == -2:
            return matrix @ volume
        lines: Tensor = matrix @ volume.flatten(-2)
        return lines.reshape(*lines.shape[:-1], *volume.shape[-2:])
