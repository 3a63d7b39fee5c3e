"""Displacement fields as files that ITK, SimpleITK and ANTs apply.

A NIfTI file of five dimensions (X, Y, Z, 1, 3) with the intent "vector", in mm along left,
posterior, superior (LPS), which are ITK's axes. With the intent "displacement vector" newer
versions of ITK would take the vectors for RAS and turn them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hipreg.data.io import DataError, nib, read_volume, write_nifti

INTENT_VECTOR = 1007
"""NIFTI_INTENT_VECTOR."""

_LPS = np.array([-1.0, -1.0, 1.0], dtype=np.float32)

_ORTHONORMAL = 1e-4


def write_itk_field(
    path: Path, displacement: npt.NDArray[np.floating[Any]], affine: npt.NDArray[np.float64]
) -> None:
    """Write a displacement in world mm as an ITK displacement field.

    Args:
        path: Ends in .nii or .nii.gz.
        displacement: (3, D, H, W) in mm along right, anterior, superior (RAS), on the grid of the
            fixed image, pull-back.
        affine: (4, 4), that grid's voxels to world mm.

    Raises:
        ValueError: The displacement is not (3, D, H, W), or the path has another ending.
    """
    if displacement.ndim != 4 or displacement.shape[0] != 3:
        raise ValueError(f"a displacement is (3, D, H, W), got {displacement.shape}")
    vectors = np.moveaxis(np.asarray(displacement, dtype=np.float32), 0, -1) * _LPS
    image = image_with_header(vectors[:, :, :, None, :], affine)
    image.header.set_intent(INTENT_VECTOR)
    write_nifti(path, image)


def read_itk_field(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Read what :func:`write_itk_field` wrote.

    Returns:
        The displacement (3, D, H, W) in mm, RAS, and the affine (4, 4) of its grid.

    Raises:
        DataError: The file is no such field.
    """
    volume = read_volume(path)
    shape = volume.data.shape
    if len(shape) != 5 or shape[3:] != (1, 3):
        raise DataError(f"{path}: shape {shape}; expected a displacement field (X, Y, Z, 1, 3)")
    vectors = np.asarray(volume.data[:, :, :, 0], dtype=np.float32) * _LPS
    return np.moveaxis(vectors, -1, 0), volume.affine


def image_with_header(data: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> Any:
    """An image of nibabel whose both affines say the same, so that all programs agree."""
    image = nib.Nifti1Image(data, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1, strip_shears=True)
    return image


def sheared(affine: npt.NDArray[np.float64]) -> bool:
    """Whether a grid's axes are not at right angles, which ITK cannot represent."""
    columns = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return bool(np.abs(columns.T @ columns - np.eye(3)).max() > _ORTHONORMAL)
