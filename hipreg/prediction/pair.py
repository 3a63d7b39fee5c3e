"""Two scans and the map between them, in their own spaces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hipreg.data.frame import Frame, inverse_of
from hipreg.data.io import DataError, Volume
from hipreg.data.itk import image_with_header
from hipreg.data.scan import ScanSource, read_image, read_label
from hipreg.evaluation.smoothness import jacobian_determinant
from hipreg.prediction.field import WorldMap, resample
from hipreg.prediction.options import Refinement

FloatVolume = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class MappedPair:
    """A moving image registered to a fixed one: ``warped(x) = moving(x + displacement(x))``.

    Attributes:
        fixed: The fixed image in its own space.
        moving: The moving image in its own space.
        fixed_label: The fixed label map, None without one. It never enters the registration,
            except that a network smaller than the image is put on its middle.
        moving_label: The moving label map, None without one; only measured and warped.
        world_map: Where each position goes.
        on_grid: (2, D, H, W), moving and fixed image as the network saw them.
        model: Name of the network.
        symmetric: Whether the network was trained in both directions.
        refinement: What was done beside the network's prediction.
        seconds: What the prediction took, reading and writing left out.
    """

    fixed: Volume
    moving: Volume
    fixed_label: Volume | None
    moving_label: Volume | None
    world_map: WorldMap
    on_grid: FloatVolume
    model: str
    symmetric: bool
    refinement: Refinement
    seconds: float

    @property
    def frame(self) -> Frame:
        """Where the network's grid lies in both images."""
        return self.world_map.frame

    @cached_property
    def displacement(self) -> FloatVolume:
        """(3, D, H, W) in mm along right, anterior, superior, on the fixed image's own grid."""
        return self.world_map.on_grid(self.fixed)

    @cached_property
    def inverse_displacement(self) -> FloatVolume:
        """(3, D, H, W) in mm on the moving image's own grid, fixed to moving, as accurate as
        ``world_map.inverse_error`` says: where the deformation folds there is no inverse."""
        return self.world_map.inverse.on_grid(self.moving)

    @cached_property
    def unregistered(self) -> FloatVolume:
        """(3, D, H, W) in mm: the alignment that registration started from, 0 by header."""
        still = WorldMap(self.frame, torch.zeros_like(self.world_map.displacement))
        return still.on_grid(self.fixed)

    def warp(self, image: ScanSource | None = None) -> Any:
        """The moving image, or another one of the same space, on the fixed image's grid.

        Args:
            image: A file or an image of nibabel anywhere in the moving world, or an array or
                tensor on the moving image's grid; None for the moving image.

        Returns:
            An image of nibabel for a file or an image of nibabel, else an array or a tensor of
            the fixed image's shape; linearly interpolated, 0 outside.

        Raises:
            DataError: The image is unusable, or an array is not of the moving image's shape.
        """
        if image is None:
            return image_with_header(self.warped, self.fixed.affine)
        volume = read_image(image, "moving")
        volume = self._on_moving_grid(volume, image)
        values = resample(volume, self.fixed, self.displacement, interpolation="linear")
        return self._in_kind(values, image)

    def warp_label(self, label: ScanSource | None = None) -> Any:
        """A label map of the moving image on the fixed image's grid: the nearest voxel.

        Args:
            label: As for :meth:`warp`, on the moving image's grid; None for the moving label.

        Returns:
            As for :meth:`warp`, of an integer type.

        Raises:
            DataError: There is no label, it holds no whole numbers, or is on another grid.
        """
        if label is None:
            return image_with_header(self._warped_label(), self.fixed.affine)
        volume = read_label(label, self.moving, "moving")
        return self._in_kind(self._carried(volume, self.displacement), label)

    @cached_property
    def warped(self) -> FloatVolume:
        """(D, H, W) the moving image on the fixed image's grid."""
        return resample(self.moving, self.fixed, self.displacement, interpolation="linear")

    def jacobian(self) -> npt.NDArray[np.float64]:
        """Local change of volume of every voxel of the fixed image, 1 where none changes.

        Central differences; the outermost voxels, which have one neighbour only, repeat the next.

        Returns:
            (D, H, W); 0 or less where the deformation folds.
        """
        if min(self.fixed.data.shape) < 3:
            raise ValueError(
                "a Jacobian needs at least 3 voxels along each axis, the fixed image has "
                f"{self.fixed.data.shape}"
            )
        return np.pad(jacobian_determinant(self.voxel_displacement(), border=1), 1, mode="edge")

    def voxel_displacement(self) -> FloatVolume:
        """(3, D, H, W), the displacement in voxels of the fixed grid along its own axes."""
        to_voxel = inverse_of(self.fixed.affine)[:3, :3]
        in_voxels = np.einsum("ab,bdhw->adhw", to_voxel, self.displacement)
        return np.asarray(in_voxels, dtype=np.float32)

    def _warped_label(self) -> npt.NDArray[np.integer[Any]]:
        if self.moving_label is None:
            raise DataError("there is no moving label to warp; register with moving_label=...")
        return self._carried(self.moving_label, self.displacement)

    def _carried(self, label: Volume, displacement: FloatVolume) -> npt.NDArray[np.integer[Any]]:
        values = resample(label, self.fixed, displacement, interpolation="nearest")
        return values.astype(np.min_scalar_type(int(label.data.max())))

    def _on_moving_grid(self, volume: Volume, source: ScanSource) -> Volume:
        """An array has no place of its own: it gets that of the moving image."""
        if not isinstance(source, (np.ndarray, torch.Tensor)):
            return volume
        if volume.data.shape != self.moving.data.shape:
            raise DataError(
                f"an array to be warped is of the moving image's shape {self.moving.data.shape}, "
                f"got {volume.data.shape}; a file or an image of nibabel may be of any grid"
            )
        return Volume(volume.data, self.moving.affine, self.moving.spacing, self.moving.axes)

    def _in_kind(self, values: npt.NDArray[Any], source: ScanSource) -> Any:
        if isinstance(source, torch.Tensor):
            leading = (1,) * (source.ndim - 3)
            return torch.from_numpy(values).reshape(*leading, *values.shape).to(source.device)
        if isinstance(source, np.ndarray):
            return values
        return image_with_header(values, self.fixed.affine)
