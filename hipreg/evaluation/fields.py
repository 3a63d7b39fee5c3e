"""Displacement fields as files of the Learn2Reg challenge."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from hipreg.data.pairs import CasePair
from hipreg.evaluation.metrics import DisplacementField, check_displacement
from hipreg.files import replacing


def field_name(pair: CasePair) -> str:
    """The file name of a pair's field in the form of 2020: ``disp_FFFF_MMMM.npz``."""
    return f"disp_{pair.fixed:04d}_{pair.moving:04d}.npz"


def write_field(folder: Path, pair: CasePair, displacement: DisplacementField) -> Path:
    """Write a displacement in the challenge's form of 2020: float16, one array.

    Half precision keeps displacements below 16 voxels to 1/128 voxel.

    Args:
        folder: Made where needed.
        pair: Whose displacement it is; names the file.
        displacement: (3, D, H, W) in voxels, on the fixed grid, pull-back.

    Returns:
        The file, written whole or not at all.

    Raises:
        ValueError: If the displacement is not (3, D, H, W), not finite, or too large for float16.
    """
    check_displacement(displacement, displacement.shape[1:])
    if np.abs(displacement).max() > np.finfo(np.float16).max:
        raise ValueError(
            f"pair fixed {pair.fixed}, moving {pair.moving}: displacements of up to "
            f"{np.abs(displacement).max():.0f} voxels do not fit into float16"
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / field_name(pair)
    with replacing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, displacement.astype(np.float16))
    return path


def read_field(path: Path) -> DisplacementField:
    """Read a displacement in the challenge's form of 2020.

    Returns:
        (3, D, H, W) float32, in voxels.

    Raises:
        ValueError: If the file is not one array of that shape, or not finite.
    """
    try:
        with np.load(path, allow_pickle=False) as content:
            if not isinstance(content, np.lib.npyio.NpzFile) or len(content.files) != 1:
                raise ValueError("it does not hold exactly one array")
            field = content[content.files[0]]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a displacement field of one array ({error})") from error
    try:
        check_displacement(field, field.shape[1:])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return np.asarray(field, dtype=np.float32)
