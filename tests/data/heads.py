"""Heads made of ellipsoids, to be stored as any scanner or program would."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt

LIA = np.array([[-1.0, 0, 0, 128], [0, 0, 1, -128], [0, -1, 0, 128], [0, 0, 0, 1]])
"""FreeSurfer's conformed space: 256 voxels of 1 mm to the left, downwards and to the front."""

BRAIN = (66.0, 84.0, 60.0)
"""Half the extent of the brain along right, anterior, superior, in mm."""


def head(
    shape: tuple[int, int, int],
    affine: npt.NDArray[np.float64],
    *,
    stripped: bool = False,
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> npt.NDArray[np.uint8]:
    """A head around the world's origin: brain, skull and scalp.

    The brain grows brighter to the right, to the front and upwards, so that a crop shows where
    its axes point.
    """
    axes = [
        np.arange(n, dtype=np.float32).reshape([-1 if k == axis else 1 for k in range(3)])
        for axis, n in enumerate(shape)
    ]
    offset = affine[:3, 3] - np.array(shift)
    # An axis that does not count towards a coordinate is left out: it would cost a volume.
    world = [
        sum(
            (np.float32(affine[row, a]) * axes[a] for a in range(3) if affine[row, a] != 0),
            start=np.float32(offset[row]).reshape(1, 1, 1),
        )
        for row in range(3)
    ]
    image = np.zeros(shape, np.float32)
    for grown, value in () if stripped else ((14.0, 90.0), (8.0, 5.0)):
        image[_within(world, grown)] = value
    inside = _within(world, 0.0)
    bright = 120 + 0.25 * world[0] + 0.2 * world[1] + 0.3 * world[2]
    image[inside] = bright[inside]
    return image.round().astype(np.uint8)


def _within(world: list[npt.NDArray[np.float32]], grown: float) -> npt.NDArray[np.bool_]:
    distance = sum(
        (w / np.float32(radius + grown)) ** 2 for w, radius in zip(world, BRAIN, strict=True)
    )
    return np.asarray(distance < 1)


def write_head(
    path: Path, affine: npt.NDArray[np.float64], shape: tuple[int, int, int], **options: object
) -> Path:
    """Store a head as NIfTI or MGZ, by the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = nibabel.MGHImage if path.suffix == ".mgz" else nibabel.Nifti1Image
    kind(head(shape, affine, **options), affine).to_filename(path)  # type: ignore[arg-type]
    return path


def coarse_affine(
    axes: str, edges: tuple[float, float, float]
) -> tuple[npt.NDArray[np.float64], tuple[int, int, int]]:
    """The affine and shape of a centred grid of 210 mm whose axes point as in ``"LIA"``."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, letter in enumerate(axes):
        row = next(k for k, pair in enumerate(("RL", "AP", "SI")) if letter in pair)
        affine[row, axis] = edges[axis] * (1 if letter in "RAS" else -1)
    shape = [round(210 / edge) for edge in edges]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine, (shape[0], shape[1], shape[2])
