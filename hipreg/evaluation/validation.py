"""Every fault of a submission, named."""

from __future__ import annotations

import difflib
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hipreg.data.pairs import CasePair
from hipreg.evaluation.fields import stored_array
from hipreg.evaluation.submission import TASK, Expected, Form, expected_files

OVERHEAD = 100_000
"""Bytes that a file may have beyond those of its array: headers, and what does not compress."""

_TODAYS = re.compile(r"disp_\d{4}_0000_\d{4}_0000\.")

_UNWANTED = ("__MACOSX/", ".DS_Store")


@dataclass(frozen=True, slots=True)
class SubmissionFault:
    """One thing that is wrong with a submission.

    Attributes:
        name: The file in it.
        message: What was found and what was expected.
    """

    name: str
    message: str


def files_in(path: Path) -> dict[str, int]:
    """Size in bytes of every file of a folder or zip by its path in there.

    Raises:
        ValueError: If it is neither.
    """
    if path.is_dir():
        found = sorted(item for item in path.rglob("*") if item.is_file())
        return {item.relative_to(path).as_posix(): item.stat().st_size for item in found}
    if not path.exists():
        raise ValueError(f"{path}: no such folder or zip")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            twice = {entry.filename for entry in entries}
            if len(twice) < len(entries):
                raise ValueError(f"{path}: some files are in the zip twice")
            return {entry.filename: entry.file_size for entry in entries}
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"{path}: no readable zip ({error}); expected a folder or zip") from error


def form_of(path: Path) -> Form:
    """The form that a submission's file names have, that of 2020 where they have neither.

    Raises:
        ValueError: If the path is neither folder nor zip.
    """
    return "today" if any(_TODAYS.search(name) for name in files_in(path)) else "2020"


def contents_of(path: Path, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The content of files of a folder or zip, one at a time."""
    if path.is_dir():
        for name in names:
            yield name, (path / name).read_bytes()
        return
    with zipfile.ZipFile(path) as archive:
        for name in names:
            try:
                yield name, archive.read(name)
            except (zipfile.BadZipFile, RuntimeError, OSError, NotImplementedError):
                # Damaged or locked: no content, which the reader of the field reports.
                yield name, b""


def validate_submission(
    path: Path, form: Form, pairs: Sequence[CasePair], *, other_tasks: bool = True
) -> list[SubmissionFault]:
    """Check names, shapes, types, finiteness, list of pairs and sizes.

    Args:
        path: A zip, or the folder that is to be zipped.
        form: "2020" or "today".
        pairs: The pairs of the hippocampus that it must hold.
        other_tasks: Whether the form of 2020 must hold the other tasks too.

    Returns:
        All faults, sorted by file; none for a good submission.

    Raises:
        ValueError: If the path is neither folder nor zip.
    """
    expected = expected_files(form, pairs, other_tasks=other_tasks)
    sizes = files_in(path)
    faults, known = _name_faults(expected, sizes, form)
    for name in list(known):
        limit = prod(expected[known[name]].shape) * 8 + OVERHEAD
        if sizes[name] > limit:
            faults.append(
                SubmissionFault(name, f"{sizes[name]:,} bytes; expected at most {limit:,}")
            )
            del known[name]
    for name, content in contents_of(path, sorted(known)):
        wanted = expected[known[name]]
        faults += [SubmissionFault(name, text) for text in field_faults(name, content, wanted)]
    return sorted(faults, key=lambda fault: fault.name)


def field_faults(name: str, content: bytes, wanted: Expected) -> list[str]:
    """What is wrong with one field's file."""
    try:
        field = stored_array(content, name, strict=True)
    except ValueError as error:
        return [str(error)]
    faults = []
    if field.shape != wanted.shape:
        faults.append(f"shape {field.shape}; expected {wanted.shape}")
    if field.dtype.name not in wanted.dtypes:
        faults.append(f"type {field.dtype}; expected {' or '.join(wanted.dtypes)}")
    elif bad := int(np.count_nonzero(~np.isfinite(field))):
        faults.append(f"{bad} values that are nan or infinite; expected finite ones")
    if not faults and wanted.task not in ("", TASK) and _any(field):
        faults.append("a field that is not 0 everywhere, for a task that is not taken part in")
    return faults


def _any(field: np.ndarray[Any, Any]) -> bool:
    return bool(field.any())


def _name_faults(
    expected: Mapping[str, Expected], sizes: Mapping[str, int], form: Form
) -> tuple[list[SubmissionFault], dict[str, str]]:
    """Faults of the list of files, and which expected file each usable one is."""
    known = {name: usual for name in sizes if (usual := _usual_name(name, form)) in expected}
    doubled = {usual for usual in known.values() if list(known.values()).count(usual) > 1}
    missing = [name for name in expected if name not in known.values()]
    faults = []
    for name in sorted(set(sizes) - set(known)):
        close = difflib.get_close_matches(name, missing, n=1, cutoff=0.75)
        meant = f"; misnamed, is it {close[0]}?" if close else "; it does not belong here"
        hidden = any(mark in name for mark in _UNWANTED)
        faults.append(SubmissionFault(name, "extra file" + ("; delete it" if hidden else meant)))
    faults += [SubmissionFault(name, "missing") for name in missing]
    faults += [
        SubmissionFault(name, f"there twice, with two endings: {usual}")
        for name, usual in known.items()
        if usual in doubled
    ]
    return faults, known


def _usual_name(name: str, form: Form) -> str:
    """Today's evaluator takes .npz as well."""
    if form == "today" and name.endswith(".npz"):
        return name.removesuffix(".npz") + ".nii.gz"
    return name
