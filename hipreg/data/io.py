"""Reading and writing volumes, with one kind of error for whatever may be wrong with a file."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from hipreg.files import replacing

nib: Any = nibabel
"""Untyped, since nibabel is typed in parts only."""

ENDINGS = (".nii.gz", ".nii")
MGH_ENDINGS = (".mgz", ".mgh")
"""Of FreeSurfer, which are read and not written."""


class DataError(ValueError):
    """Something is wrong with the data; the message names the files and what to do."""


class DataNotFoundError(DataError):
    """There is no data; the message says what to download from where and where to put it."""


@dataclass(frozen=True, slots=True)
class Volume:
    """An array with its place in the world.

    Attributes:
        data: the array as stored, scaled by the header's slope where it has one.
        affine: (4, 4), voxels to world mm.
        spacing: edge of a voxel in mm along each axis of a 3D array.
        axes: where the array's axes point, for instance "RAS".
    """

    data: npt.NDArray[Any]
    affine: npt.NDArray[np.float64]
    spacing: tuple[float, float, float]
    axes: str


def read_volume(path: Path) -> Volume:
    """Reads a NIfTI or MGH file whole, including the checksum of a compressed one.

    Raises:
        DataError: the file cannot be read, is truncated or is of no such format.
    """
    try:
        content = path.read_bytes()
        if path.name.endswith((".gz", ".mgz")):
            content = gzip.decompress(content)
        image = _format(path, content).from_bytes(content)
        data = np.asanyarray(image.dataobj)
        affine = np.asarray(image.affine, dtype=np.float64)
    except (EOFError, zlib.error) as error:
        raise DataError(
            f"truncated or damaged file ({error}); download or copy it again"
        ) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"cannot be read ({reason}); check the file and its permissions"
        ) from error
    # The reader has no common base class for what a damaged header makes it raise.
    except Exception as error:
        kind = "MGH" if path.name.endswith(MGH_ENDINGS) else "NIfTI"
        raise DataError(f"no readable {kind} file ({error}); download or copy it again") from error
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    spacing = (float(sizes[0]), float(sizes[1]), float(sizes[2]))
    usable = bool(np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 0)
    axes = "".join(map(str, nib.aff2axcodes(affine))) if usable else "?"
    return Volume(data, affine, spacing, axes)


def _format(path: Path, content: bytes) -> Any:
    """The class of nibabel for a file, by its ending and its first number."""
    if path.name.endswith(MGH_ENDINGS):
        return nib.MGHImage
    first = content[:4]
    big = 540 in (int.from_bytes(first, "little"), int.from_bytes(first, "big"))
    return nib.Nifti2Image if big else nib.Nifti1Image


def write_volume(path: Path, data: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> None:
    """Writes a NIfTI file under a temporary name first, so that it is never seen half written.

    Args:
        path: ends in .nii or .nii.gz; its folder is made where needed.
        data: the array, of a type that NIfTI has.
        affine: (4, 4), voxels to world mm.

    Raises:
        ValueError: the path has another ending.
    """
    write_nifti(path, nib.Nifti1Image(data, affine))


def write_nifti(path: Path, image: Any) -> None:
    """Writes an image of nibabel as :func:`write_volume` writes an array, its header as it is.

    Raises:
        ValueError: the path has another ending.
    """
    if not path.name.endswith(ENDINGS):
        raise ValueError(f"a NIfTI file ends in {' or '.join(ENDINGS)}, got {path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = image.to_bytes()
    if path.name.endswith(".gz"):
        content = gzip.compress(content, compresslevel=6, mtime=0)
    with replacing(path) as part:
        part.write_bytes(content)
