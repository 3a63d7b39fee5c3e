"""From a scan to the common grid: padding to zero, resampling, normalising, cropping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, map_coordinates

from hipreg.data.description import DatasetDescription, FixedWindow, PercentileWindow
from hipreg.data.io import Volume
from hipreg.data.placement import Placement, Triple
from hipreg.types import Size

IN_SCAN_MINIMUM = 1e-3
"""Smallest normalised intensity of a scanned voxel, so that exactly 0 means "not covered"."""

SPACING_TOLERANCE = 1e-3
"""Relative difference of voxel edges that is not worth resampling (headers are rounded)."""

Box = tuple[slice, slice, slice]
FloatImage = npt.NDArray[np.float32]
LabelArray = npt.NDArray[np.uint8]
Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class PreparedCase:
    """A case on the common grid.

    Attributes:
        image: (D, H, W) float32 in [0, 1], exactly 0 where the scan covers nothing.
        label: (D, H, W) uint8, all 0 for a case without labels.
        placement: where its original grid lies on the common one.
        lost_labels: label voxels that the crop cut off.
    """

    image: FloatImage
    label: LabelArray
    placement: Placement
    lost_labels: int


def prepare_case(
    image: Volume, label: Volume | None, description: DatasetDescription
) -> PreparedCase:
    """Puts a case onto the description's grid.

    Args:
        image: a checked image.
        label: its checked label map, of the same shape; None for a case without labels.
        description: says size, spacing and intensity window.

    Raises:
        ValueError: image and label differ in shape.
    """
    data = np.asarray(image.data)
    labels = (
        np.zeros(data.shape, np.uint8)
        if label is None
        else np.asarray(label.data).astype(np.uint8)
    )
    if labels.shape != data.shape:
        raise ValueError(f"image and label need one shape, got {data.shape} and {labels.shape}")
    original = _size(data)
    box = scan_box(data)
    scale = scale_factors(image.spacing, description.spacing)
    if scale != (1.0, 1.0, 1.0):
        data, labels, box = resample(data, labels, box, scale)
    values = np.zeros(data.shape, dtype=np.float32)
    values[box] = normalise(data[box], description.intensity)
    start = centre_start(_size(data), description.size)
    placed_labels = place(labels, start, description.size)
    # Voxel centres: a grid stretched by s about its corner moves centre 0 to (s - 1) / 2.
    shift = tuple(o + (s - 1) / 2 for o, s in zip(start, scale, strict=True))
    placement = Placement(
        original_size=original,
        affine=tuple(tuple(row) for row in image.affine.tolist()),
        size=description.size,
        scale=scale,
        shift=(shift[0], shift[1], shift[2]),
    )
    lost = int(np.count_nonzero(labels) - np.count_nonzero(placed_labels))
    return PreparedCase(place(values, start, description.size), placed_labels, placement, lost)


def scan_box(data: npt.NDArray[Any]) -> Box:
    """The part of an array that is scan and not padding by edge values or by a constant.

    Padding by edge values repeats the outermost plane of the scan, so equal planes at an end are
    padding but for the innermost of them; padding by a constant also makes that one constant.

    Returns:
        A slice for each axis; the whole array where it has one value throughout.
    """
    box = []
    for axis in range(3):
        planes = np.moveaxis(data, axis, 0)
        n = len(planes)
        low, high = 0, n - 1
        while low < high and np.array_equal(planes[low], planes[low + 1]):
            low += 1
        if low == high:
            box.append(slice(0, n))
            continue
        while np.array_equal(planes[high], planes[high - 1]):
            high -= 1
        low += int(_is_constant(planes[low]))
        high -= int(_is_constant(planes[high]))
        box.append(slice(low, high + 1) if low <= high else slice(0, n))
    return box[0], box[1], box[2]


def normalise(
    values: npt.NDArray[Any], window: PercentileWindow | FixedWindow
) -> npt.NDArray[np.float32]:
    """Maps scanned intensities linearly to [IN_SCAN_MINIMUM, 1], clipped at the window.

    Percentiles make it independent of the scanner's scale (raw maxima go from 90 to 1.7 million)
    and of the few brightest voxels, vessels of up to four times the 99th percentile.

    Args:
        values: intensities of scanned voxels, any shape and real type.
        window: what goes to 0 and to 1.
    """
    if isinstance(window, FixedWindow):
        low, high = window.lower, window.upper
    else:
        low, high = map(float, np.percentile(values, (window.lower, window.upper)))
        if not low < high:
            # Contrast in less than 1 % of the voxels: use all of it.
            low, high = float(values.min()), float(values.max())
    # In float64, since values far from 0 lose their contrast in float32.
    unit = (values.astype(np.float64) - low) / ((high - low) or 1.0)
    return np.clip(unit, IN_SCAN_MINIMUM, 1.0).astype(np.float32)


def scale_factors(spacing: Triple, wanted: float) -> Triple:
    """Voxel edge over wanted edge along each axis (both mm), 1 within the tolerance."""
    raw = [edge / wanted for edge in spacing]
    near = [1.0 if abs(factor - 1) <= SPACING_TOLERANCE else factor for factor in raw]
    return near[0], near[1], near[2]


def resample(
    data: npt.NDArray[Any], labels: LabelArray, box: Box, scale: Triple
) -> tuple[npt.NDArray[np.float64], LabelArray, Box]:
    """Resamples image (linear, smoothed first where it shrinks) and labels (nearest).

    Args:
        data: (D, H, W) intensities.
        labels: (D, H, W) labels.
        box: the scanned part.
        scale: old voxel edge over new voxel edge along each axis.

    Returns:
        Image, labels and scanned part on the new grid, whose corner is that of the old one.
    """
    old = _size(data)
    new = [max(round(n * s), 1) for n, s in zip(old, scale, strict=True)]
    smooth = data.astype(np.float64)
    for axis, factor in enumerate(scale):
        if factor < 1:
            smooth = gaussian_filter1d(smooth, (1 / factor - 1) / 2, axis=axis, mode="nearest")
    axes = [(np.arange(n) + 0.5) / s - 0.5 for n, s in zip(new, scale, strict=True)]
    grid = np.meshgrid(*axes, indexing="ij")
    image = map_coordinates(smooth, grid, order=1, mode="nearest")
    nearest = [
        np.clip(np.floor(a + 0.5).astype(int), 0, n - 1) for a, n in zip(axes, old, strict=True)
    ]
    moved = []
    for part, n, s in zip(box, new, scale, strict=True):
        first = min(round(part.start * s), n - 1)
        moved.append(slice(first, max(min(round(part.stop * s), n), first + 1)))
    return image, labels[np.ix_(*nearest)], (moved[0], moved[1], moved[2])


def centre_start(size: Size, target: Size) -> tuple[int, int, int]:
    """Where voxel 0 of a centred grid falls on the target grid; negative where it is cropped.

    An odd rest goes to the far end, for padding and for cropping.
    """
    start = [
        (want - have) // 2 if want >= have else -((have - want) // 2)
        for have, want in zip(size, target, strict=True)
    ]
    return start[0], start[1], start[2]


def place(data: npt.NDArray[Kind], start: tuple[int, int, int], target: Size) -> npt.NDArray[Kind]:
    """Crops and zero-pads an array so that its voxel 0 falls on ``start`` of the target grid."""
    result = np.zeros(target, dtype=data.dtype)
    source, goal = [], []
    for offset, have, want in zip(start, data.shape, target, strict=True):
        first, last = max(offset, 0), min(offset + have, want)
        goal.append(slice(first, last))
        source.append(slice(first - offset, last - offset))
    result[tuple(goal)] = data[tuple(source)]
    return result


def _is_constant(plane: npt.NDArray[Any]) -> bool:
    return bool((plane == plane.flat[0]).all())


def _size(data: npt.NDArray[Any]) -> Size:
    return int(data.shape[0]), int(data.shape[1]), int(data.shape[2])
