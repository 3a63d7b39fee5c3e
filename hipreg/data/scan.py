"""Images in their own space, from files, nibabel, arrays or tensors; checked before any use."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hipreg.data.checks import image_faults
from hipreg.data.io import DataError, Volume, nib, read_volume

logger = logging.getLogger(__name__)

ScanSource = str | Path | npt.NDArray[Any] | torch.Tensor | Any
"""A NIfTI file, an image of nibabel, or an array or tensor (D, H, W), also with leading ones."""

MAX_VOXELS = 2**30
"""More voxels than any scan has (1024 x 1024 x 1024); a header with more is broken."""

MAX_EXTENT = 1000.0
"""mm; a longer scan has a header in other units, such as micrometres."""

SAME_GRID = 1e-3
"""Difference of affines (mm) that headers of one grid may have from rounding."""


def read_image(source: ScanSource, what: str) -> Volume:
    """Read and check an image.

    Args:
        source: A file, an image of nibabel, or an array or tensor, which counts as 1 mm RAS.
        what: What it is for, such as "moving"; named in messages beside the file.

    Returns:
        The image with its affine; ``data`` is real-valued and 3D.

    Raises:
        DataError: If it is not one finite 3D image with contrast and a usable header.
    """
    volume, name = _read(source, what)
    faults = [fault.message for fault in image_faults(name, volume)]
    if not faults and max(extent(volume)) > MAX_EXTENT:
        edges = " x ".join(f"{side:.0f}" for side in extent(volume))
        faults = [
            f"an extent of {edges} mm; expected at most {MAX_EXTENT:g} mm, correct the voxel "
            "sizes in its header (are they micrometres?)"
        ]
    if faults:
        raise DataError(f"{what} image {name}: " + "; ".join(faults))
    return volume


def read_label(source: ScanSource, image: Volume, what: str) -> Volume:
    """Read the label map of an image and check that it lies on the image's grid.

    Args:
        source: As for :func:`read_image`; an array or tensor gets the image's affine.
        image: The image that it belongs to.
        what: What it is for, such as "moving".

    Returns:
        The label map; ``data`` is of an integer type.

    Raises:
        DataError: If it holds no whole numbers, is empty, or lies on another grid.
    """
    volume, name = _read(source, f"{what} label", image.affine)
    data = volume.data
    if data.shape != image.data.shape:
        raise DataError(
            f"{what} label {name}: shape {data.shape}; expected that of its image, "
            f"{image.data.shape}: one of the two belongs to another scan or grid"
        )
    if np.abs(volume.affine - image.affine).max() > SAME_GRID:
        raise DataError(
            f"{what} label {name}: another affine than its image; resample one of the two onto "
            "the grid of the other"
        )
    if not np.isfinite(data).all() or (data != np.round(data)).any() or data.min() < 0:
        raise DataError(
            f"{what} label {name}: values that are no whole numbers from 0 up; expected hard "
            "labels"
        )
    if not data.any():
        raise DataError(f"{what} label {name}: every voxel is 0; expected at least one label")
    return Volume(data.astype(np.int32), image.affine, image.spacing, image.axes)


def extent(volume: Volume) -> tuple[float, float, float]:
    """Edges of a volume's box in mm, along its own axes."""
    d, h, w = (n * edge for n, edge in zip(volume.data.shape, volume.spacing, strict=True))
    return d, h, w


def volume_of(data: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> Volume:
    """A volume from an array and its affine."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    usable = bool(np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 0)
    axes = "".join(map(str, nib.aff2axcodes(affine))) if usable else "?"
    return Volume(data, affine, (float(sizes[0]), float(sizes[1]), float(sizes[2])), axes)


def _read(
    source: ScanSource, what: str, affine: npt.NDArray[np.float64] | None = None
) -> tuple[Volume, Path]:
    """The volume of any kind of source, and a name for it in messages."""
    if isinstance(source, (str, Path)):
        path = Path(source).expanduser()
        return _from_file(path, what), path
    if isinstance(source, torch.Tensor):
        source = source.detach().cpu().numpy()
    if isinstance(source, np.ndarray):
        while source.ndim > 3 and source.shape[0] == 1:
            source = source[0]
        return volume_of(source, np.eye(4) if affine is None else affine), Path("(array)")
    if hasattr(source, "dataobj") and hasattr(source, "affine"):
        name = Path(source.get_filename() or "(nibabel image)")
        return _from_nibabel(source, name), name
    raise DataError(
        f"{what} image: got a {type(source).__name__}; expected the path of a NIfTI file, an "
        "image of nibabel, or an array or tensor (D, H, W)"
    )


def _from_file(path: Path, what: str) -> Volume:
    if not path.is_file():
        raise DataError(f"{what} image {path}: no such file; expected a .nii or .nii.gz image")
    try:
        # The header alone, before a broken one makes the reader ask for all memory.
        header = nib.load(path)
    except Exception as error:
        raise DataError(f"{what} image {path}: no readable NIfTI file ({error})") from error
    _check_count(header.shape, f"{what} image {path}")
    try:
        volume = read_volume(path)
    except DataError as error:
        raise DataError(f"{what} image {path}: {error}") from error
    return _placed(volume, header, path)


def _from_nibabel(image: Any, name: Path) -> Volume:
    _check_count(image.shape, str(name))
    affine = np.eye(4) if image.affine is None else np.asarray(image.affine, dtype=np.float64)
    return _placed(volume_of(np.asanyarray(image.dataobj), affine), image, name)


def _placed(volume: Volume, image: Any, name: Path) -> Volume:
    """The volume, its axes taken for RAS where its header says nothing of where they point."""
    header: Any = image.header
    codes = [header[key] for key in ("sform_code", "qform_code") if key in header]
    if not codes or any(codes) or volume.data.ndim != 3:
        return volume
    logger.warning(
        "%s: its header does not say where its axes point; they are taken to be RAS, where other "
        "programs may take something else",
        name,
    )
    edges = [float(edge) for edge in header.get_zooms()[:3]]
    return volume_of(volume.data, np.diag([*edges, 1.0]))


def _check_count(shape: tuple[int, ...], name: str) -> None:
    count = int(np.prod(np.array(shape, dtype=np.float64)))
    if count > MAX_VOXELS or min(shape, default=0) < 1:
        raise DataError(
            f"{name}: a header with the shape {shape}; expected one 3D volume of at most "
            f"{MAX_VOXELS:,} voxels, crop or export it again"
        )
