"""Where a displacement folds."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from hipreg.types import Displacement


def jacobian_determinant(displacement: Displacement) -> Float[Tensor, "B D-2 H-2 W-2"]:
    """Local change of volume of ``x -> x + displacement(x)`` within the border.

    By central differences, as ``hipreg.evaluation.jacobian_determinant`` measures it.

    Args:
        displacement: (B, 3, D, H, W) in voxels.

    Returns:
        (B, D - 2, H - 2, W - 2), 1 where nothing is deformed, not above 0 where it folds.
    """
    inner = displacement[:, :, 1:-1, 1:-1, 1:-1]
    slopes = [
        (displacement.narrow(axis, 2, side) - displacement.narrow(axis, 0, side)) / 2
        for axis, side in zip((2, 3, 4), inner.shape[2:], strict=True)
    ]
    # What is not differentiated along is cut to the same voxels.
    slopes[0] = slopes[0][:, :, :, 1:-1, 1:-1]
    slopes[1] = slopes[1][:, :, 1:-1, :, 1:-1]
    slopes[2] = slopes[2][:, :, 1:-1, 1:-1, :]
    rows = [[slopes[a][:, c] + (1.0 if a == c else 0.0) for a in range(3)] for c in range(3)]
    (a, b, c), (d, e, f), (g, h, i) = rows
    determinant: Tensor = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return determinant
