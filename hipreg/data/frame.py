"""The network's grid in the world of two images that need not share anything.

A pair is put on one grid of a fixed size and voxel edge. Its axes are those of the fixed image,
permuted and mirrored to the nearest of right, anterior, superior (as the training images lie), so
that a fixed image of the right voxel edge is copied and not interpolated. Where the grid lies in
the fixed image follows the preparation of the training images: the image's middle falls on the
grid's, an odd rest goes to the far end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, map_coordinates

from hipreg.data.description import FixedWindow, PercentileWindow
from hipreg.data.io import DataError, Volume, nib
from hipreg.data.preprocess import centre_start, normalise, scale_factors, scan_box
from hipreg.types import Size

Affine = npt.NDArray[np.float64]
Alignment = Literal["auto", "header", "centre", "mass"]
ALIGNMENTS: tuple[Alignment, ...] = ("auto", "header", "centre", "mass")

LEAST_OVERLAP = 0.25
"""Share of the smaller image's box that the boxes must have in common for headers to be believed
by "auto"."""

_PARALLEL = 1e-3
"""Largest entry by which the directions of two parallel grids differ."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Where the network's grid lies in the worlds of the fixed and the moving image.

    Attributes:
        size: Voxels D, H, W of the grid.
        to_fixed: (4, 4), grid voxels to the fixed image's world in mm.
        to_moving: (4, 4), grid voxels to the moving image's world in mm.
        alignment: "header" (one world), "centre" or "mass" (the worlds are shifted so that the
            images' middles, or their centres of mass, meet).
    """

    size: Size
    to_fixed: Affine
    to_moving: Affine
    alignment: str


def common_frame(
    fixed: Volume,
    moving: Volume,
    *,
    size: Size,
    spacing: float = 1.0,
    alignment: Alignment = "auto",
    centre: Sequence[float] | None = None,
) -> Frame:
    """Place a grid on a pair.

    "auto" believes the headers where both say something of where the image lies and the images
    overlap there; where a header has the origin of no scanner (all 0 or all 1 mm with straight
    axes, as the crops of the Medical Segmentation Decathlon have), the images' middles meet, as in
    training; and where headers of scanners do not overlap, the centres of mass meet.

    Args:
        fixed: The fixed image.
        moving: The moving image.
        size: Voxels D, H, W of the grid.
        spacing: Edge of its voxels in mm.
        alignment: One of ``ALIGNMENTS``.
        centre: Point in the fixed image's world, mm, to put the grid's middle on; None for the
            fixed image's own middle.

    Raises:
        ValueError: If the alignment is unknown or the centre is not three finite numbers.
    """
    if alignment not in ALIGNMENTS:
        raise ValueError(f"alignment must be one of {ALIGNMENTS}, got {alignment!r}")
    directions = ras_directions(fixed.affine)
    to_fixed = _placed(fixed, directions, size, spacing)
    if centre is not None:
        to_fixed = _centred_on(to_fixed, size, _point(centre))
    chosen = _automatic(fixed, moving) if alignment == "auto" else alignment
    to_moving = to_fixed
    if chosen == "centre":
        to_moving = _placed(moving, directions, size, spacing)
        if centre is not None:
            # The same point of both images, seen from their middles.
            shift = np.linalg.solve(_placed(fixed, directions, size, spacing), to_fixed)
            to_moving = to_moving @ shift
    elif chosen == "mass":
        to_moving = to_fixed.copy()
        to_moving[:3, 3] += centre_of_mass(moving) - centre_of_mass(fixed)
    return Frame(size, to_fixed, to_moving, chosen)


def ras_directions(affine: Affine) -> Affine:
    """(3, 3) orthonormal columns: an image's axes in the order right, anterior, superior."""
    columns = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    orientation = nib.io_orientation(affine)
    ordered = np.empty((3, 3))
    for axis, (target, sign) in enumerate(orientation):
        ordered[:, int(target)] = sign * columns[:, axis]
    # A sheared header has no orthonormal axes; these are the nearest (polar decomposition).
    left, _, right = np.linalg.svd(ordered)
    return np.asarray(left @ right)


def on_frame(
    volume: Volume,
    to_world: Affine,
    size: Size,
    window: PercentileWindow | FixedWindow,
    what: str,
    *,
    zeros_covered: bool = True,
) -> npt.NDArray[np.float32]:
    """An image on the network's grid, as the training images were prepared.

    Args:
        volume: The image.
        to_world: (4, 4), grid voxels to the image's world.
        size: Voxels D, H, W of the grid.
        window: What maps intensities to [0, 1]; percentiles are of the voxels on the grid.
        what: Named in messages.
        zeros_covered: Whether voxels of exactly 0 are scan; False where a program that cut the
            skull off has left them.

    Returns:
        (D, H, W) in [0, 1], exactly 0 where the scan covers nothing.

    Raises:
        DataError: If the image covers nothing of the grid, or is constant there.
    """
    box = scan_box(volume.data)
    positions = voxels_of(volume, to_world, size)
    inside = np.ones(size, dtype=np.bool_)
    for position, part in zip(positions, box, strict=True):
        inside &= (position > part.start - 0.5) & (position < part.stop - 0.5)
    if not inside.any():
        raise DataError(
            f"the {what} image covers nothing of the {' x '.join(map(str, size))} mm that are "
            "registered: choose another place with a centre, or another alignment"
        )
    at = [
        np.clip(position[inside], part.start, part.stop - 1)
        for position, part in zip(positions, box, strict=True)
    ]
    values = _read_at(volume, at, edge=float(np.linalg.norm(to_world[:3, 0])))
    if not zeros_covered and values.any():
        inside[inside] = values != 0
        values = values[values != 0]
    if values.min() == values.max():
        raise DataError(
            f"the {what} image is constant where it is registered: choose another place with a "
            "centre, or another alignment"
        )
    image = np.zeros(size, dtype=np.float32)
    image[inside] = normalise(values, window)
    return image


def label_on_frame(label: Volume, to_world: Affine, size: Size) -> npt.NDArray[np.int32]:
    """A label map on the network's grid: the nearest voxel, 0 outside."""
    nearest = [np.floor(p + 0.5).astype(np.intp) for p in voxels_of(label, to_world, size)]
    inside = np.ones(size, dtype=np.bool_)
    for position, n in zip(nearest, label.data.shape, strict=True):
        inside &= (position >= 0) & (position < n)
    result = np.zeros(size, dtype=np.int32)
    result[inside] = label.data[tuple(position[inside] for position in nearest)]
    return result


def voxels_of(volume: Volume, to_world: Affine, size: Size) -> npt.NDArray[np.float64]:
    """(3, D, H, W): the volume's voxel coordinates of every voxel of a grid."""
    matrix = np.linalg.solve(volume.affine, to_world)
    # Straight grids meet in whole numbers, which rounding is not to blur.
    matrix = np.where(np.abs(matrix - np.round(matrix)) < 1e-9, np.round(matrix), matrix)
    grid = np.indices(size, dtype=np.float64).reshape(3, -1)
    positions = matrix[:3, :3] @ grid + matrix[:3, 3:]
    return np.asarray(positions.reshape(3, *size))


def centre_of_mass(volume: Volume) -> npt.NDArray[np.float64]:
    """(3,) world mm: the mean position weighted by intensity, between its percentiles 1 and 99."""
    box = scan_box(volume.data)
    values = volume.data[box].astype(np.float64)
    low, high = np.percentile(values, (1, 99))
    weights = np.clip(values, low, high) - low
    total = weights.sum()
    if not total > 0:
        weights, total = np.ones_like(weights), float(weights.size)
    voxel = []
    for axis, part in enumerate(box):
        others = tuple(other for other in range(3) if other != axis)
        profile = weights.sum(axis=others)
        voxel.append(float((profile * np.arange(part.start, part.stop)).sum() / total))
    return np.asarray(volume.affine[:3, :3] @ voxel + volume.affine[:3, 3])


def _placed(volume: Volume, directions: Affine, size: Size, spacing: float) -> Affine:
    """Grid voxels to a volume's world, the volume's middle on the grid's as in preparation."""
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    steps = np.linalg.solve(affine[:3, :3], volume.affine[:3, :3])
    straight = np.round(steps / np.abs(steps).max(axis=0))
    counts = np.array(volume.data.shape)
    middle = volume.affine[:3, :3] @ ((counts - 1) / 2) + volume.affine[:3, 3]
    offset = (np.array(size) - 1) / 2
    if np.abs(steps - straight * np.abs(steps).max(axis=0)).max() < _PARALLEL:
        order = np.abs(straight).argmax(axis=1)
        edges = [volume.spacing[k] for k in order]
        scale = np.array(scale_factors((edges[0], edges[1], edges[2]), spacing))
        along = counts[order]
        rounded = [max(round(n * s), 1) for n, s in zip(along, scale, strict=True)]
        start = centre_start((rounded[0], rounded[1], rounded[2]), size)
        offset = np.array(start) + (scale * along - 1) / 2
    affine[:3, 3] = middle - affine[:3, :3] @ offset
    return affine


def _centred_on(to_world: Affine, size: Size, point: npt.NDArray[np.float64]) -> Affine:
    """The grid moved by whole voxels so that its middle is next to a point of the world."""
    now = (np.array(size) - 1) / 2
    wanted = np.linalg.solve(to_world[:3, :3], point - to_world[:3, 3])
    moved = to_world.copy()
    moved[:3, 3] += to_world[:3, :3] @ np.round(wanted - now)
    return moved


def _point(centre: Sequence[float]) -> npt.NDArray[np.float64]:
    point = np.asarray(centre, dtype=np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise ValueError(f"a centre is three finite numbers in mm, got {centre!r}")
    return point


def _automatic(fixed: Volume, moving: Volume) -> Alignment:
    if not (_says_where(fixed.affine) and _says_where(moving.affine)):
        return "centre"
    (low, high), (other_low, other_high) = _world_box(fixed), _world_box(moving)
    common = np.clip(np.minimum(high, other_high) - np.maximum(low, other_low), 0, None).prod()
    smaller = min((high - low).prod(), (other_high - other_low).prod())
    return "header" if common >= LEAST_OVERLAP * smaller else "mass"


def _says_where(affine: Affine) -> bool:
    """Whether an origin is more than a program's default beside straight axes."""
    linear = affine[:3, :3]
    straight = np.array_equal(linear, np.diag(np.diag(linear)))
    return not (straight and any((affine[:3, 3] == value).all() for value in (0.0, 1.0)))


def _world_box(volume: Volume) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Lowest and highest world coordinates of the part that is scan."""
    ends = [(part.start - 0.5, part.stop - 0.5) for part in scan_box(volume.data)]
    corners = np.stack(np.meshgrid(*ends, indexing="ij")).reshape(3, -1)
    world = volume.affine[:3, :3] @ corners + volume.affine[:3, 3:]
    return world.min(axis=1), world.max(axis=1)


def _read_at(
    volume: Volume, at: Sequence[npt.NDArray[np.float64]], *, edge: float
) -> npt.NDArray[np.float64]:
    """Linear interpolation at voxel coordinates, smoothed first where the new voxels are larger.

    Works on the part of the volume that is asked for, since a whole head is much more.
    """
    blurs = [max(edge / old - 1, 0.0) / 2 for old in volume.spacing]
    starts, part = [], []
    for position, blur, n in zip(at, blurs, volume.data.shape, strict=True):
        reach = 1 + int(np.ceil(4 * blur))
        start = max(int(position.min()) - reach, 0)
        starts.append(start)
        part.append(slice(start, min(int(position.max()) + reach + 1, n)))
    smooth = volume.data[tuple(part)].astype(np.float64)
    for axis, blur in enumerate(blurs):
        if blur > _PARALLEL:
            smooth = gaussian_filter1d(smooth, blur, axis=axis, mode="nearest")
    local = [position - start for position, start in zip(at, starts, strict=True)]
    values: npt.NDArray[np.float64] = map_coordinates(smooth, local, order=1, mode="nearest")
    return values


def inverse_of(affine: Affine) -> Affine:
    """(4, 4): the affine of the way back."""
    return np.asarray(np.linalg.inv(affine), dtype=np.float64)
