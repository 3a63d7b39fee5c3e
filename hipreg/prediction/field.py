"""A displacement on the network's grid as a map between the worlds of two images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from hipreg.data.frame import Affine, Frame, inverse_of
from hipreg.data.io import Volume
from hipreg.spatial import compose, invert, sample
from hipreg.types import Displacement

MARGIN = 16
"""Voxels around the network's grid over which a displacement fades to nothing."""

_SLAB = 2_000_000
"""Voxels mapped at a time."""


def faded(displacement: Displacement, *, margin: int = MARGIN) -> Displacement:
    """Continue a displacement beyond its grid, smoothly down to 0.

    Outside the grid nothing is known, so the map is to be the identity there; a sudden end would
    tear the image.

    Args:
        displacement: (B, 3, D, H, W) in voxels.
        margin: Voxels added at each side.

    Returns:
        (B, 3, D + 2 margin, ...); 0 at its border, unchanged inside.
    """
    result = F.pad(displacement, [margin] * 6, mode="replicate")
    for axis in (2, 3, 4):
        n = displacement.shape[axis]
        at = torch.arange(-margin, n + margin, dtype=result.dtype, device=result.device)
        outside = torch.maximum(-at, at - (n - 1)).clamp(min=0) / margin
        weight = 1 - outside**2 * (3 - 2 * outside)
        shape = [1] * 5
        shape[axis] = -1
        result = result * weight.view(shape)
    return result


@dataclass(frozen=True)
class WorldMap:
    """The map of fixed positions to moving positions, in world mm.

    With g the position on the network's grid, ``x = to_fixed g`` goes to
    ``to_moving (g + displacement(g))``; beyond the grid and its margin the displacement is 0.

    Attributes:
        frame: Where the network's grid lies.
        displacement: (1, 3, d, h, w) in voxels of the grid widened by ``MARGIN`` at each side.
    """

    frame: Frame
    displacement: Displacement

    @staticmethod
    def of(frame: Frame, displacement: Displacement) -> WorldMap:
        """The map of a network's displacement (1, 3, D, H, W) on a frame."""
        return WorldMap(frame, faded(displacement.detach().cpu().float()))

    @cached_property
    def inverse(self) -> WorldMap:
        """The map of moving positions to fixed ones."""
        back = Frame(
            self.frame.size, self.frame.to_moving, self.frame.to_fixed, self.frame.alignment
        )
        return WorldMap(back, invert(self.displacement))

    @cached_property
    def inverse_error(self) -> dict[str, float]:
        """How far there and back again ends from the start, in voxels of the network's grid."""
        rest = compose(self.displacement, self.inverse.displacement).norm(dim=1)
        return {"mean": float(rest.mean()), "max": float(rest.max())}

    def __call__(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Map (3, N) fixed positions in world mm to (3, N) moving positions."""
        on_grid = _apply(inverse_of(self.frame.to_fixed), points)
        asked = torch.from_numpy((on_grid + MARGIN).astype(np.float32))[None, :, :, None, None]
        moved = sample(self.displacement, asked)[0, :, :, 0, 0].numpy()
        return _apply(self.frame.to_moving, on_grid + moved)

    def on_grid(self, grid: Volume) -> npt.NDArray[np.float32]:
        """The displacement in world mm of every voxel of an image: (3, D, H, W)."""
        shape = grid.data.shape
        result = np.empty((3, int(np.prod(shape))), dtype=np.float32)
        for part, points in _points(grid):
            result[:, part] = self(points) - points
        return result.reshape(3, *shape)


def resample(
    image: Volume,
    grid: Volume,
    displacement: npt.NDArray[np.float32],
    *,
    interpolation: Literal["linear", "nearest"],
) -> npt.NDArray[np.float32]:
    """Read an image at the displaced positions of a grid.

    A voxel reaches half its edge beyond its centre, as in ITK: up to there the outermost value
    goes on, and beyond it everything is 0.

    Args:
        image: What to read, in the moving world.
        grid: Its grid is that of the result.
        displacement: (3, D, H, W) in mm on that grid.
        interpolation: "linear", or "nearest" for labels.

    Returns:
        (D, H, W) float32.
    """
    shape = grid.data.shape
    to_voxel = inverse_of(image.affine)
    last = np.array(image.data.shape, dtype=np.float64)[:, None] - 1
    volume = torch.from_numpy(np.ascontiguousarray(image.data, dtype=np.float32))[None, None]
    flat = displacement.reshape(3, -1)
    result = np.empty(flat.shape[1], dtype=np.float32)
    for part, points in _points(grid):
        at = _apply(to_voxel, points + flat[:, part])
        inside = ((at >= -0.5 - 1e-6) & (at <= last + 0.5 + 1e-6)).all(axis=0)
        asked = torch.from_numpy(np.clip(at, 0, last).astype(np.float32))
        read = sample(volume, asked[None, :, :, None, None], interpolation=interpolation)
        result[part] = np.where(inside, read[0, 0, :, 0, 0].numpy(), 0)
    return result.reshape(shape)


def _points(grid: Volume) -> Iterator[tuple[slice, npt.NDArray[np.float64]]]:
    """World positions of a grid's voxels, some at a time, with where they lie in flat order."""
    d, h, w = grid.data.shape
    planes = max(_SLAB // (h * w), 1)
    for start in range(0, d, planes):
        stop = min(start + planes, d)
        index = np.indices((stop - start, h, w), dtype=np.float64).reshape(3, -1)
        index[0] += start
        yield slice(start * h * w, stop * h * w), _apply(grid.affine, index)


def _apply(affine: Affine, points: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return np.asarray(affine[:3, :3] @ points + affine[:3, 3:])
