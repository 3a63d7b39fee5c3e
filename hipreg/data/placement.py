"""Where a case's grid lies on the common grid, and a displacement back from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates

from hipreg.types import Size

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a case's original grid lies on the common grid.

    ``common voxel = scale * original voxel + shift`` along each axis.

    Attributes:
        original_size: voxels of the original grid along D, H, W.
        affine: (4, 4), original voxels to world mm, as nested tuples.
        size: voxels of the common grid along D, H, W.
        scale: original voxel edge over common voxel edge; 1 where nothing was resampled.
        shift: common voxel coordinate of the original voxel (0, 0, 0).
    """

    original_size: Size
    affine: tuple[tuple[float, ...], ...]
    size: Size
    scale: Triple
    shift: Triple

    @classmethod
    def identity(cls, size: Size) -> Placement:
        """The placement of a case that lies on the common grid already, 1 mm a voxel."""
        affine = tuple(tuple(row) for row in np.eye(4).tolist())
        return cls(size, affine, size, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))

    def cropped(self, start: Sequence[int], size: Size) -> Placement:
        """The placement on the part of the common grid that begins at ``start``."""
        shift = (
            self.shift[0] - start[0],
            self.shift[1] - start[1],
            self.shift[2] - start[2],
        )
        return replace(self, size=size, shift=shift)

    def to_original(
        self, displacement: npt.NDArray[np.floating], moving: Placement | None = None
    ) -> npt.NDArray[np.float32]:
        """Brings a displacement of the common grid back to the original grid of its fixed case.

        Outside the common grid (a cropped case) the nearest displacement goes on.

        Args:
            displacement: (3, D, H, W) in voxels of the common grid, pull-back.
            moving: placement of the moving case. With it the result points to voxels of the
                moving case's own original array; without it the moving case is taken to lie
                on the same original grid as the fixed case.

        Returns:
            (3, *original_size) in original voxels, pull-back.

        Raises:
            ValueError: ``displacement`` is not of shape (3, *size).
        """
        if displacement.shape != (3, *self.size):
            raise ValueError(
                f"the displacement needs shape {(3, *self.size)}, got {displacement.shape}"
            )
        other = moving or self
        axes = [np.arange(n, dtype=np.float64) for n in self.original_size]
        common = [a * s + o for a, s, o in zip(axes, self.scale, self.shift, strict=True)]
        grid = np.meshgrid(*common, indexing="ij")
        original = np.meshgrid(*axes, indexing="ij")
        result = np.empty((3, *self.original_size), dtype=np.float32)
        for axis in range(3):
            values = map_coordinates(
                displacement[axis].astype(np.float64), grid, order=1, mode="nearest"
            )
            target = (grid[axis] + values - other.shift[axis]) / other.scale[axis]
            result[axis] = target - original[axis]
        return result
