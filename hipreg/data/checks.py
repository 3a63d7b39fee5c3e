"""What may be wrong with a case, and one error that names every bad file at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hipreg.data.description import DatasetDescription
from hipreg.data.io import DataError, Volume

MAX_SPACING = 20.0
"""Voxel edges beyond this (mm) are taken for a broken header."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with one file.

    Attributes:
        path: the file or folder.
        message: what was found, what was expected, what to do.
    """

    path: Path
    message: str


def image_faults(path: Path, volume: Volume) -> list[Fault]:
    """Whatever keeps an image from being used: dimensions, values, spacing."""
    data = volume.data
    if (dimension := _dimension_fault(path, volume)) is not None:
        return [dimension]
    faults = []
    if not np.issubdtype(data.dtype, np.number) or np.issubdtype(data.dtype, np.complexfloating):
        return [Fault(path, f"intensities of type {data.dtype}; expected real numbers")]
    bad = data.size - int(np.isfinite(data).sum())
    if bad:
        faults.append(
            Fault(
                path, f"{bad} NaN or infinite intensities; expected finite ones, export it again"
            )
        )
    elif not data.any():
        faults.append(Fault(path, "every voxel is 0; expected an image, export it again"))
    elif data.min() == data.max():
        faults.append(
            Fault(path, f"every voxel is {data.flat[0]}; expected an image with contrast")
        )
    if not all(0 < edge <= MAX_SPACING for edge in volume.spacing) or volume.axes == "?":
        faults.append(
            Fault(
                path,
                f"voxel edges of {_edges(volume)} mm in the header; expected above 0 and up to "
                f"{MAX_SPACING:g} mm, correct its affine",
            )
        )
    return faults


def label_faults(path: Path, volume: Volume, description: DatasetDescription) -> list[Fault]:
    """Whatever keeps a label map from being used: dimensions and values."""
    if (dimension := _dimension_fault(path, volume)) is not None:
        return [dimension]
    values = np.unique(volume.data)
    allowed = np.array([0, *sorted(description.labels)])
    bad = values[~np.isin(values, allowed)]
    if not len(bad):
        return []
    shown = ", ".join(f"{value:g}" for value in bad[:8]) + (", ..." if len(bad) > 8 else "")
    wanted = ", ".join(map(str, allowed))
    return [
        Fault(path, f"labels {shown}; expected only {wanted}, export it again or map its labels")
    ]


def match_faults(image_path: Path, image: Volume, label_path: Path, label: Volume) -> list[Fault]:
    """Whether an image and its label map lie on one grid."""
    if image.data.shape == label.data.shape:
        return []
    return [
        Fault(
            label_path,
            f"shape {label.data.shape}; expected that of its image {image_path.name}, "
            f"{image.data.shape}: one of the two belongs to another case or grid",
        )
    ]


def raise_faults(faults: Sequence[Fault], what: str) -> None:
    """Raises one error that names every bad file, if there is any.

    Args:
        faults: all that was found.
        what: the data set, for the first line.

    Raises:
        DataError: there are faults.
    """
    if not faults:
        return
    lines = [f"  {fault.path}: {fault.message}" for fault in sorted(faults, key=_order)]
    files = len({fault.path for fault in faults})
    raise DataError(
        f"{what}: {files} bad file(s); correct or remove them (image and label), nothing was "
        "trained or overwritten.\n" + "\n".join(lines)
    )


def _order(fault: Fault) -> tuple[str, str]:
    return str(fault.path), fault.message


def _dimension_fault(path: Path, volume: Volume) -> Fault | None:
    shape = volume.data.shape
    if len(shape) == 3 and min(shape) > 1:
        return None
    kind = f"{sum(n > 1 for n in shape)}D" if len(shape) <= 3 else f"{len(shape)}D"
    return Fault(
        path,
        f"{kind} file of shape {shape}; expected one 3D volume (D, H, W), split or replace it",
    )


def _edges(volume: Volume) -> str:
    return " x ".join(f"{edge:g}" for edge in volume.spacing)
