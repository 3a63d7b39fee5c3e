"""A cohort: all cases of a data set on one grid, ready to be drawn from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hipreg.data.description import DatasetDescription
from hipreg.data.placement import Placement
from hipreg.types import Size


@dataclass(frozen=True)
class Cohort:
    """The prepared cases of a data set.

    Attributes:
        description: the data set.
        cases: case numbers, sorted.
        images: (N, D, H, W) float32 in [0, 1]; exactly 0 where the scan covers nothing.
        labels: (N, D, H, W) uint8; 0 is background.
        labelled: whether each case has labels.
        placements: where each case's original grid lies on this one.
        fingerprint: hash of images and labels, to be recorded with a run.
    """

    description: DatasetDescription
    cases: tuple[int, ...]
    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    labelled: tuple[bool, ...]
    placements: tuple[Placement, ...]
    fingerprint: str

    def __post_init__(self) -> None:
        n = len(self.cases)
        counts = (n, len(self.images), len(self.labels), len(self.labelled), len(self.placements))
        if len(set(counts)) != 1 or self.images.shape != self.labels.shape:
            raise ValueError(
                "a cohort needs as many images, labels, labelled flags and placements as cases, "
                f"got {counts} and shapes {self.images.shape} and {self.labels.shape}"
            )

    @staticmethod
    def of_volumes(
        description: DatasetDescription,
        images: npt.NDArray[np.float32],
        labels: npt.NDArray[np.uint8],
    ) -> Cohort:
        """Cases 1, 2, ... that were made on the grid, all of them labelled.

        Args:
            description: the data set.
            images: (N, D, H, W) in [0, 1].
            labels: (N, D, H, W).
        """
        n = len(images)
        digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
        return Cohort(
            description=description,
            cases=tuple(range(1, n + 1)),
            images=images,
            labels=labels,
            labelled=(True,) * n,
            placements=(Placement.identity(description.size),) * n,
            fingerprint=digest[:16],
        )

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def size(self) -> Size:
        """Voxels of the grid along D, H, W."""
        depth, height, width = self.images.shape[1:]
        return int(depth), int(height), int(width)

    @cached_property
    def covered(self) -> npt.NDArray[np.bool_]:
        """(D, H, W), which voxels any case's scan or label covers; reads every volume, once."""
        covered = np.zeros(self.size, dtype=np.bool_)
        for image, label in zip(self.images, self.labels, strict=True):
            covered |= (image > 0) | (label > 0)
        return covered

    def index(self, case: int) -> int:
        """Row of a case number.

        Raises:
            ValueError: the cohort has no such case.
        """
        return self.indices([case])[0]

    def indices(self, cases: Sequence[int]) -> list[int]:
        """Rows of case numbers, in their order.

        Raises:
            ValueError: the cohort lacks some of them; all of those are listed.
        """
        rows = {case: row for row, case in enumerate(self.cases)}
        unknown = [case for case in cases if case not in rows]
        if unknown:
            span = f"{min(self.cases)} to {max(self.cases)}" if self.cases else "none"
            raise ValueError(
                f"{self.description.title} has no case {', '.join(map(str, unknown))}; "
                f"it has {len(self.cases)} cases, numbered {span}"
            )
        return [rows[case] for case in cases]

    def select(self, cases: Sequence[int]) -> Cohort:
        """The cohort of the given cases alone, in their order; copies them to memory.

        Raises:
            ValueError: the cohort lacks some of them; all of those are listed.
        """
        rows = self.indices(cases)
        return replace(
            self,
            cases=tuple(cases),
            images=self.images[rows],
            labels=self.labels[rows],
            labelled=tuple(self.labelled[row] for row in rows),
            placements=tuple(self.placements[row] for row in rows),
        )

    def crop(self, size: Size) -> Cohort:
        """The central part of every case, as a view; an odd rest is cut at the far end.

        Args:
            size: voxels to keep along D, H, W.

        Raises:
            ValueError: ``size`` is bigger than the grid or not positive.
        """
        if any(not 0 < want <= have for want, have in zip(size, self.size, strict=True)):
            raise ValueError(
                f"cannot crop a grid of {self.size} voxels to {size}; "
                "each axis needs 1 up to the grid's size"
            )
        start = [(have - want) // 2 for want, have in zip(size, self.size, strict=True)]
        window = (
            slice(None),
            *(slice(s, s + want) for s, want in zip(start, size, strict=True)),
        )
        return replace(
            self,
            images=self.images[window],
            labels=self.labels[window],
            placements=tuple(p.cropped(start, size) for p in self.placements),
        )


def tight_size(cohort: Cohort, multiple: int = 16) -> Size:
    """The smallest central crop that keeps every scanned voxel and label of every case.

    Args:
        cohort: the cases.
        multiple: each axis is rounded up to a multiple of this (but not above the grid).

    Raises:
        ValueError: ``multiple`` is not positive.
    """
    if multiple < 1:
        raise ValueError(f"multiple must be at least 1, got {multiple}")
    sizes = []
    for axis, have in enumerate(cohort.size):
        others = tuple(other for other in range(3) if other != axis)
        where = np.flatnonzero(cohort.covered.any(axis=others))
        want = min(multiple, have)
        while len(where) and want < have:
            start = (have - want) // 2
            if start <= where[0] and where[-1] < start + want:
                break
            want = min(want + multiple, have)
        sizes.append(want)
    return sizes[0], sizes[1], sizes[2]
