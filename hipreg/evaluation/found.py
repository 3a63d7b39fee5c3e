"""Displacement fields that somebody left in a folder or zip, in either form of the challenge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from hipreg.data.cohort import Cohort
from hipreg.data.pairs import CasePair
from hipreg.evaluation.evaluate import PairJob
from hipreg.evaluation.fields import stored_array
from hipreg.evaluation.metrics import DisplacementField, check_displacement
from hipreg.evaluation.submission import OTHER_TASKS, TASK, from_todays_number
from hipreg.evaluation.validation import contents_of, files_in

_SHORT = re.compile(r"disp_(\d{1,4})_(\d{1,4})\.(npz|nii\.gz|nii)")
_LONG = re.compile(r"disp_(\d{1,4})_0000_(\d{1,4})_0000\.(npz|nii\.gz|nii)")


@dataclass(frozen=True, slots=True, eq=False)
class FoundField:
    """One field with the pair that its name says.

    Attributes:
        name: Its file.
        pair: In the numbers of the Decathlon.
        displacement: (3, D, H, W) in voxels.
    """

    name: str
    pair: CasePair
    displacement: DisplacementField


def found_fields(path: Path) -> Iterator[FoundField]:
    """Read every displacement field of a folder or zip, one at a time, in the order of names.

    In the form of 2020 names hold the Decathlon's numbers and arrays are (3, D, H, W); in today's
    they hold the numbers of the second release, arrays are (D, H, W, 3), and names may be short
    (``disp_0201_0260``) or long (``disp_0201_0000_0260_0000``). Fields of other tasks and files
    that are no fields are passed over.

    Raises:
        ValueError: If there is no field, a field is damaged or not finite, a pair is there twice,
            or the path is neither folder nor zip.
    """
    seen: dict[CasePair, str] = {}
    for name, content in contents_of(path, field_names(path)):
        try:
            field = _read(name, content)
        except ValueError as error:
            raise ValueError(f"{path}: {name}: {error}") from error
        if field.pair in seen:
            raise ValueError(
                f"{path}: {name} and {seen[field.pair]} are both of fixed {field.pair.fixed}, "
                f"moving {field.pair.moving}"
            )
        seen[field.pair] = name
        yield field


def field_names(path: Path) -> list[str]:
    """The files of a folder or zip that are fields of the hippocampus by their names.

    Raises:
        ValueError: If there are none.
    """
    names = [name for name in files_in(path) if _is_field(PurePosixPath(name))]
    if not names:
        raise ValueError(
            f"{path}: no displacement fields of the hippocampus; expected files such as "
            f"{TASK}/disp_0311_0394.npz or disp_0201_0000_0260_0000.nii.gz"
        )
    return sorted(names)


def jobs_of(path: Path, cohort: Cohort) -> Iterator[PairJob]:
    """What there is to measure of every field; a case without labels counts as empty.

    Raises:
        ValueError: As :func:`found_fields`, or if a case is unknown or of another size.
    """
    for found in found_fields(path):
        try:
            fixed, moving = cohort.indices([found.pair.fixed, found.pair.moving])
        except ValueError as error:
            raise ValueError(f"{path}: {found.name}: {error}") from error
        if found.displacement.shape[1:] != cohort.size:
            raise ValueError(
                f"{path}: {found.name}: a displacement of size {found.displacement.shape[1:]}, "
                f"and the cases are {cohort.size}"
            )
        yield PairJob(
            fixed=found.pair.fixed,
            moving=found.pair.moving,
            fixed_label=cohort.labels[fixed],
            moving_label=cohort.labels[moving],
            displacement=found.displacement,
        )


def _is_field(name: PurePosixPath) -> bool:
    if any(part in OTHER_TASKS or part == "__MACOSX" for part in name.parts[:-1]):
        return False
    return bool(_SHORT.fullmatch(name.name) or _LONG.fullmatch(name.name))


def _read(name: str, content: bytes) -> FoundField:
    array = stored_array(content, name)
    if array.ndim == 4 and array.shape[0] == 3 and array.shape[-1] != 3:
        displacement, channels_first = array, True
    elif array.ndim == 4 and array.shape[-1] == 3 and array.shape[0] != 3:
        displacement, channels_first = np.moveaxis(array, -1, 0), False
    else:
        raise ValueError(f"an array of shape {array.shape}; expected (3, D, H, W) or (D, H, W, 3)")
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"values of type {array.dtype}; expected floating-point displacements")
    # Contiguous and float32, which the evaluators compute in too.
    values: np.ndarray[Any, Any] = np.ascontiguousarray(displacement, dtype=np.float32)
    check_displacement(values, values.shape[1:])
    return FoundField(name, _pair(PurePosixPath(name).name, channels_first), values)


def _pair(name: str, channels_first: bool) -> CasePair:
    long = _LONG.fullmatch(name)
    numbers = long or _SHORT.fullmatch(name)
    assert numbers is not None
    fixed, moving = int(numbers[1]), int(numbers[2])
    if channels_first and not long:
        return CasePair(fixed, moving)
    return CasePair(from_todays_number(fixed), from_todays_number(moving))
