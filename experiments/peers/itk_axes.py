"""ITK's order of axes: an array (D, H, W) is an image whose x, y and z are W, H and D."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.peers.peer import Field


def field_of(vectors: npt.NDArray[np.floating[Any]]) -> Field:
    """Our displacement of the array of an ITK displacement field.

    ITK's fields are pull-back as ours are. On images made from arrays, whose voxels are 1 mm and
    whose axes are the world's, its millimetres are voxels.

    Args:
        vectors: (D, H, W, 3) with the components x, y, z, as ITK's array functions return it.

    Returns:
        (3, D, H, W) in voxels, components in the order D, H, W.

    Raises:
        ValueError: The array is of another shape.
    """
    if vectors.ndim != 4 or vectors.shape[-1] != 3:
        raise ValueError(f"an ITK displacement field is (D, H, W, 3), got {vectors.shape}")
    return np.ascontiguousarray(np.moveaxis(vectors[..., ::-1], -1, 0), dtype=np.float32)
