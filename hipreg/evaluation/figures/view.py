"""What a panel shows: the volumes of one pair and the slice through them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from hipreg.evaluation.metrics import (
    DisplacementField,
    LabelVolume,
    check_displacement,
    warp_label,
)
from hipreg.evaluation.surface import bounding_box

Plane = np.ndarray[Any, Any]
"""One slice (A, B) of a volume; A runs to the right and B upwards in the picture."""


@dataclass(frozen=True)
class PanelVolumes:
    """The arrays of one registered pair, all on one grid.

    Attributes:
        fixed: (D, H, W) intensities; exactly 0 where the scan covers nothing.
        moving: (D, H, W), in the same unit.
        fixed_label: (D, H, W) hard labels.
        moving_label: (D, H, W) hard labels.
        displacement: (3, D, H, W) in voxels, on the fixed grid, pull-back.
    """

    fixed: Float[np.ndarray, "D H W"]
    moving: Float[np.ndarray, "D H W"]
    fixed_label: LabelVolume
    moving_label: LabelVolume
    displacement: DisplacementField

    def __post_init__(self) -> None:
        check_displacement(self.displacement, self.fixed.shape)
        for name in ("moving", "fixed_label", "moving_label"):
            shape = getattr(self, name).shape
            if shape != self.fixed.shape:
                raise ValueError(
                    f"{name} has the shape {shape}, the fixed image {self.fixed.shape}"
                )
        if min(self.fixed.shape) < 5:
            raise ValueError(f"a panel needs at least 5 voxels an axis, got {self.fixed.shape}")

    @cached_property
    def warped(self) -> Float[np.ndarray, "D H W"]:
        """(D, H, W) the moving image on the fixed grid, linearly interpolated."""
        grid = np.indices(self.fixed.shape)
        warped: Float[np.ndarray, "D H W"] = ndimage.map_coordinates(
            self.moving.astype(np.float64), grid + self.displacement, order=1
        )
        return warped

    @cached_property
    def warped_label(self) -> LabelVolume:
        """(D, H, W) the moving labels on the fixed grid."""
        return warp_label(self.moving_label, self.displacement)


@dataclass(frozen=True)
class View:
    """The slice to show, and the part of it that the scans cover.

    Attributes:
        volumes: The pair.
        axis: The axis that the slice is perpendicular to.
        index: Where along it.
        window: The shown part along the slice's two axes.
    """

    volumes: PanelVolumes
    axis: int
    index: int
    window: tuple[slice, slice]

    @staticmethod
    def across(volumes: PanelVolumes, axis: int | None) -> View:
        """The slice that cuts most of the fixed labels, across one axis or any.

        Args:
            volumes: The pair.
            axis: The axis that the slice is perpendicular to; None for whichever cuts most.

        Returns:
            The slice, in the window that holds both scans; the middle one without labels.
        """
        cuts = {
            candidate: np.count_nonzero(
                volumes.fixed_label, axis=tuple(a for a in range(3) if a != candidate)
            )
            for candidate in ((0, 1, 2) if axis is None else (axis,))
        }
        across = max(cuts, key=lambda candidate: int(cuts[candidate].max()))
        areas = cuts[across]
        index = int(areas.argmax()) if areas.any() else areas.size // 2
        box = bounding_box((volumes.fixed != 0) | (volumes.moving != 0))
        box = box or (slice(None), slice(None), slice(None))
        first, second = (part for a, part in enumerate(box) if a != across)
        return View(volumes, across, index, (first, second))

    @property
    def in_plane(self) -> tuple[int, int]:
        """The axes that run to the right and upwards."""
        first, second = (a for a in (0, 1, 2) if a != self.axis)
        return first, second

    def cut(self, volume: np.ndarray[Any, Any]) -> Plane:
        """The shown part of a volume's slice."""
        plane: Plane = np.take(volume, self.index, axis=self.axis)[self.window]
        return plane

    @property
    def extent(self) -> tuple[int, int]:
        """Voxels to the right and upwards."""
        width, height = self.cut(self.volumes.fixed).shape
        return width, height

    @property
    def labels(self) -> list[int]:
        """Every label of the fixed case."""
        return [int(label) for label in np.unique(self.volumes.fixed_label) if label != 0]
