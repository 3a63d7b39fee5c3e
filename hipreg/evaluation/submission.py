"""Submissions to the Learn2Reg challenge: what belongs in one, writing it, and every fault of one.

Two forms exist. That of 2020 is a zip with a folder for each of the four tasks of that year,
half-precision arrays (3, D, H, W), and the case numbers of the Decathlon. Today's evaluator takes
one task, arrays (D, H, W, 3), and the numbers of the second release.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hipreg.data.datasets.hippocampus import DESCRIPTION, LEARN2REG_V2
from hipreg.data.pairs import CasePair
from hipreg.evaluation.fields import field_bytes, field_name
from hipreg.evaluation.metrics import DisplacementField
from hipreg.files import replacing

Form = Literal["2020", "today"]
FORMS: tuple[Form, ...] = ("2020", "today")

TASK = "task_04"
"""Folder of the hippocampus in the form of 2020."""

_ABDOMEN = (1, 4, 7, 10, 23, 26, 29, 32, 35, 38)

OTHER_TASKS: Mapping[str, tuple[tuple[int, ...], tuple[CasePair, ...]]] = {
    "task_01": (
        (3, 128, 128, 144),
        tuple(CasePair(case, case) for case in (3, 6, 12, 15, 18, 23, 26)),
    ),
    "task_02": ((3, 96, 96, 104), tuple(CasePair(case, case) for case in (1, 2, 3))),
    "task_03": (
        (3, 96, 80, 128),
        tuple(CasePair(a, b) for i, a in enumerate(_ABDOMEN) for b in _ABDOMEN[i + 1 :]),
    ),
}
"""Shape (half resolution) and validation pairs of the other tasks of 2020, as published with the
challenge: brain MR and ultrasound, lung CT, abdominal CT."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What one file of a submission has to be.

    Attributes:
        pair: Case numbers of the Decathlon; those of another task for its zero fields.
        shape: Of its one array.
        dtypes: Types that the evaluator takes.
        task: Folder of the file in the form of 2020, empty in today's.
    """

    pair: CasePair
    shape: tuple[int, ...]
    dtypes: tuple[str, ...]
    task: str = ""


def expected_files(
    form: Form, pairs: Sequence[CasePair], *, other_tasks: bool = True
) -> dict[str, Expected]:
    """Every file of a submission by its path in the zip.

    Args:
        form: "2020" or "today".
        pairs: Of the hippocampus, in numbers of the Decathlon.
        other_tasks: In the form of 2020, also the zero fields of the other tasks. Their pairs are
            known for the validation set only.

    Raises:
        ValueError: If the form is unknown.
    """
    _check_form(form)
    d, h, w = DESCRIPTION.size
    if form == "today":
        floats = ("float16", "float32", "float64")
        return {
            f"{todays_name(pair)}.nii.gz": Expected(pair, (d, h, w, 3), floats) for pair in pairs
        }
    files = {}
    for task, (shape, task_pairs) in OTHER_TASKS.items() if other_tasks else ():
        for pair in task_pairs:
            files[f"{task}/{field_name(pair)}"] = Expected(pair, shape, ("float16",), task)
    for pair in pairs:
        name = f"{TASK}/{field_name(pair)}"
        files[name] = Expected(pair, (3, d, h, w), ("float16",), TASK)
    return files


def todays_name(pair: CasePair) -> str:
    """The file name of a pair's field today, without its ending."""
    fixed, moving = to_todays_number(pair.fixed), to_todays_number(pair.moving)
    return f"disp_{fixed:04d}_0000_{moving:04d}_0000"


def to_todays_number(case: int) -> int:
    """From the Decathlon's numbers to those of the second release.

    Raises:
        ValueError: If the second release does not have the case.
    """
    numbering = LEARN2REG_V2.numbering or ()
    if case not in numbering:
        raise ValueError(f"case {case} is not in the second release of Learn2Reg")
    return numbering.index(case) + 1


def from_todays_number(number: int) -> int:
    """From the numbers of the second release to the Decathlon's.

    Raises:
        ValueError: If there is no such number.
    """
    numbering = LEARN2REG_V2.numbering or ()
    if not 1 <= number <= len(numbering):
        raise ValueError(f"the second release numbers its cases 1 to {len(numbering)}")
    return numbering[number - 1]


def write_submission(
    path: Path,
    fields: Iterable[tuple[CasePair, DisplacementField]],
    pairs: Sequence[CasePair],
    *,
    form: Form = "2020",
    other_tasks: bool = True,
    progress: Callable[[str], None] = lambda name: None,
) -> Path:
    """Write a submission as a zip, whole or not at all.

    Args:
        path: The zip file; replaced where it exists.
        fields: The displacement (3, D, H, W) in voxels of each pair, in any order.
        pairs: The pairs that it must hold.
        form: "2020" or "today".
        other_tasks: See :func:`expected_files`.
        progress: Called with the name of each file that is written.

    Raises:
        ValueError: If a pair is missing, is there twice or does not belong, or a field does not
            fit; no file is left.
    """
    expected = expected_files(form, pairs, other_tasks=other_tasks)
    names = {item.pair: name for name, item in expected.items() if item.task in (TASK, "")}
    left = dict(names)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, item in expected.items():
            if item.task not in (TASK, ""):
                zero = np.zeros(item.shape, dtype=np.float32)
                archive.writestr(_entry(name), field_bytes(zero, form))
        for pair, displacement in fields:
            if pair not in left:
                known = "was there before" if pair in names else "does not belong to it"
                raise ValueError(f"{path}: pair {_said(pair)} {known}")
            shape = (3, *DESCRIPTION.size)
            if displacement.shape != shape:
                raise ValueError(
                    f"{path}: pair {_said(pair)}: got a displacement {displacement.shape}, "
                    f"wanted {shape}"
                )
            name = left.pop(pair)
            try:
                archive.writestr(_entry(name), field_bytes(displacement, form))
            except ValueError as error:
                raise ValueError(f"{path}: pair {_said(pair)}: {error}") from error
            progress(name)
        if left:
            raise ValueError(
                f"{path}: {len(left)} of {len(names)} pairs are missing, such as "
                f"{_said(next(iter(left)))}"
            )
    return path


def _check_form(form: str) -> None:
    if form not in FORMS:
        raise ValueError(f"the forms of a submission are {', '.join(FORMS)}, got {form!r}")


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry of a fixed time, so that equal fields are equal files."""
    entry = zipfile.ZipInfo(name, date_time=(2020, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    return entry


def _said(pair: CasePair) -> str:
    return f"fixed {pair.fixed}, moving {pair.moving}"
