"""Synthetic image pairs and cohorts whose true displacement is known.

All cases of a seed are one analytic anatomy seen through each case's own smooth deformation, so
any two of them correspond point by point. Free of any patient's data.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hipreg.data.cohort import Cohort
from hipreg.data.description import DatasetDescription
from hipreg.data.preprocess import IN_SCAN_MINIMUM
from hipreg.data.synthetic_anatomy import (
    FIELD_OF_VIEW,
    Anatomy,
    Deformation,
    FloatArray,
    draw_anatomy,
    draw_deformation,
)
from hipreg.types import Size

DEFAULT_SIZE = (64, 64, 64)
_ANATOMY, _SHAPE, _SCAN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class SyntheticPair:
    """A pair with its truth: ``fixed(x) = moving(x + displacement(x))`` but for bias and noise.

    Attributes:
        moving: (D, H, W) float32 in [0, 1], 0 outside the scan.
        fixed: likewise.
        moving_label: (D, H, W) uint8.
        fixed_label: likewise.
        displacement: (3, D, H, W) float32, voxels, pull-back; known outside the scan as well.
    """

    moving: npt.NDArray[np.float32]
    fixed: npt.NDArray[np.float32]
    moving_label: npt.NDArray[np.uint8]
    fixed_label: npt.NDArray[np.uint8]
    displacement: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SyntheticCase:
    """One case of a synthetic population, as formulas of continuous voxel coordinates.

    Attributes:
        anatomy: what the population shares.
        deformation: from this case to the anatomy.
        size: voxels of the grid along D, H, W.
        seed: of the population.
        number: of the case in the population.
    """

    anatomy: Anatomy
    deformation: Deformation
    size: Size
    seed: int
    number: int

    def intensity(self, voxels: FloatArray) -> FloatArray:
        """(N,) noiseless intensities at (3, N) voxel coordinates."""
        return self.anatomy.intensity(self.deformation(self._to_mm(voxels)))

    def label(self, voxels: FloatArray) -> npt.NDArray[np.uint8]:
        """(N,) labels at (3, N) voxel coordinates."""
        return self.anatomy.label(self.deformation(self._to_mm(voxels)))

    def displacement_to(self, moving: SyntheticCase) -> npt.NDArray[np.float32]:
        """The true displacement that registers ``moving`` to this case, which is fixed.

        Returns:
            (3, D, H, W) voxels, pull-back.

        Raises:
            ValueError: the two cases are not of one population and grid.
        """
        if (self.seed, self.size) != (moving.seed, moving.size):
            raise ValueError(
                "only cases of one population and grid correspond, got seeds "
                f"{self.seed} and {moving.seed}, sizes {self.size} and {moving.size}"
            )
        grid = np.indices(self.size, dtype=np.float64).reshape(3, -1)
        anatomy_points = self.deformation(self._to_mm(grid))
        voxels = moving._to_voxels(moving.deformation.inverse(anatomy_points))
        return (voxels - grid).reshape(3, *self.size).astype(np.float32)

    def scan(
        self, *, bias: float = 0.15, noise: float = 0.035
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
        """The case as it would be scanned, cropped around the structure.

        Args:
            bias: relative strength of the smooth bias field.
            noise: standard deviation of the noise, in intensities.

        Returns:
            (D, H, W) image in [0, 1], exactly 0 outside the crop, and (D, H, W) labels.
        """
        rng = np.random.default_rng([self.seed, _SCAN, self.number])
        view = _view(self.size)
        shape = tuple(s.stop - s.start for s in view)
        start = np.array([s.start for s in view], dtype=np.float32)
        grid = np.indices(shape, dtype=np.float32).reshape(3, -1) + start[:, None]
        points = self.deformation(self._to_mm(grid))
        label = self.anatomy.label(points).reshape(shape)
        values = self.anatomy.intensity(points).astype(np.float32)
        half = np.array(self.size, dtype=np.float32)[:, None] / 2
        centred = (grid - half) / half
        slopes = rng.normal(size=3).astype(np.float32) * bias
        values *= 1 + slopes @ centred + bias * rng.normal() * (centred**2).sum(0)
        values += noise * rng.standard_normal(values.size, dtype=np.float32)
        scanned = np.clip(values, IN_SCAN_MINIMUM, 1.0).reshape(shape)
        covered = self._crop(label, rng)
        image = np.zeros(self.size, dtype=np.float32)
        labels = np.zeros(self.size, dtype=np.uint8)
        image[view][covered] = scanned[covered]
        labels[view][covered] = label[covered]
        return image, labels

    def _crop(
        self, label: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> tuple[slice, slice, slice]:
        """A window of the view, symmetric about its centre, with random margins."""
        margins = rng.uniform(3.0, 7.0, size=3) * self._voxels_per_mm
        window = []
        for axis, margin in enumerate(margins):
            others = tuple(other for other in range(3) if other != axis)
            where = np.flatnonzero((label > 0).any(axis=others))
            n = label.shape[axis]
            reach = max(n - 1 - where[0], where[-1]) + 1 if len(where) else n
            far = min(int(np.ceil(reach + margin)), n)
            window.append(slice(n - far, far))
        return window[0], window[1], window[2]

    @property
    def _voxels_per_mm(self) -> float:
        return min(self.size) / 64

    def _centre(self, kind: npt.DTypeLike) -> FloatArray:
        return ((np.array(self.size) - 1) / 2).astype(kind)[:, None]

    def _to_mm(self, voxels: FloatArray) -> FloatArray:
        result: FloatArray = (voxels - self._centre(voxels.dtype)) / self._voxels_per_mm
        return result

    def _to_voxels(self, points: FloatArray) -> FloatArray:
        result: FloatArray = points * self._voxels_per_mm + self._centre(points.dtype)
        return result


def synthetic_case(
    seed: int, number: int, *, size: Size = DEFAULT_SIZE, n_labels: int = 2
) -> SyntheticCase:
    """Case ``number`` of the population of ``seed``; the same whatever else is drawn.

    Raises:
        ValueError: a negative seed or number, or an impossible size or number of labels.
    """
    if seed < 0 or number < 0:
        raise ValueError(f"seed and number must not be negative, got {seed} and {number}")
    if len(size) != 3 or min(size) < 4:
        raise ValueError(f"size needs three axes of at least 4 voxels, got {size}")
    anatomy = draw_anatomy(np.random.default_rng([seed, _ANATOMY]), n_labels)
    deformation = draw_deformation(np.random.default_rng([seed, _SHAPE, number]))
    return SyntheticCase(anatomy, deformation, size, seed, number)


def synthetic_pair(
    seed: int, index: int, *, size: Size = DEFAULT_SIZE, n_labels: int = 2
) -> SyntheticPair:
    """Pair ``index`` of an endless sequence: cases 2 index + 1 (moving) and 2 index + 2 (fixed).

    Args:
        seed: of the population.
        index: from 0.
        size: voxels along D, H, W; shapes scale with the smallest.
        n_labels: labels along the structure's long axis.

    Raises:
        ValueError: a negative seed or index, or an impossible size or number of labels.
    """
    moving = synthetic_case(seed, 2 * index + 1, size=size, n_labels=n_labels)
    fixed = synthetic_case(seed, 2 * index + 2, size=size, n_labels=n_labels)
    moving_image, moving_label = moving.scan()
    fixed_image, fixed_label = fixed.scan()
    displacement = fixed.displacement_to(moving)
    return SyntheticPair(moving_image, fixed_image, moving_label, fixed_label, displacement)


def synthetic_cohort(description: DatasetDescription, *, n: int, seed: int) -> Cohort:
    """Cases 1 to ``n`` of the population of ``seed``, with the description's size and labels.

    Raises:
        ValueError: ``n`` is not positive, or the labels are not 1, 2, 3, ...
    """
    if n < 1:
        raise ValueError(f"a cohort needs at least one case, got n = {n}")
    n_labels = len(description.labels)
    if sorted(description.labels) != list(range(1, n_labels + 1)):
        raise ValueError(f"synthetic labels are 1, 2, ..., got {sorted(description.labels)}")
    images = np.empty((n, *description.size), dtype=np.float32)
    labels = np.empty((n, *description.size), dtype=np.uint8)

    def fill(row: int) -> None:
        case = synthetic_case(seed, row + 1, size=description.size, n_labels=n_labels)
        images[row], labels[row] = case.scan()

    with ThreadPoolExecutor() as pool:
        list(pool.map(fill, range(n)))
    return Cohort.of_volumes(description, images, labels)


def _view(size: Size) -> tuple[slice, slice, slice]:
    """The centred part of the grid that a scan may cover at most."""
    scale = min(size) / 64
    window = []
    for have, extent in zip(size, FIELD_OF_VIEW, strict=True):
        # Of the grid's own parity, so that the view has the same centre.
        want = min(round(extent * scale), have)
        want += (have - want) % 2
        window.append(slice((have - want) // 2, (have + want) // 2))
    return window[0], window[1], window[2]
