"""Recognises how a folder names and numbers its files, and lists its cases."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from hipreg.data.checks import Fault
from hipreg.data.description import DatasetDescription, Layout, LayoutPart
from hipreg.data.io import ENDINGS, DataError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """The files of one case.

    Attributes:
        case: its number inside hipreg.
        image: the image.
        label: its label map; None where the release has none.
    """

    case: int
    image: Path
    label: Path | None


@dataclass(frozen=True, slots=True)
class DataFolder:
    """A folder whose layout was recognised."""

    layout: Layout
    path: Path


def to_case(layout: Layout, number: int) -> int:
    """The case number of a file number.

    Raises:
        ValueError: the layout has no such file number.
    """
    if layout.numbering is None:
        return number
    if not 1 <= number <= len(layout.numbering):
        raise ValueError(
            f"{layout.name} numbers its files 1 to {len(layout.numbering)}, got {number}"
        )
    return layout.numbering[number - 1]


def to_number(layout: Layout, case: int) -> int:
    """The file number of a case number.

    Raises:
        ValueError: the layout does not hold the case.
    """
    if layout.numbering is None:
        return case
    if case not in layout.numbering:
        raise ValueError(f"{layout.name} does not hold case {case}")
    return layout.numbering.index(case) + 1


def file_name(part: LayoutPart, number: int) -> str:
    """The name of a compressed file by its number."""
    return part.pattern.format(number=number) + ".nii.gz"


def file_number(part: LayoutPart, name: str) -> int | None:
    """The number in a file's name; None where the name is not of this layout."""
    before, after = re.split(r"\{number[^}]*\}", part.pattern)
    endings = "|".join(map(re.escape, ENDINGS))
    match = re.fullmatch(rf"{re.escape(before)}(\d+){re.escape(after)}(?:{endings})", name)
    return int(match[1]) if match else None


def list_folder(folder: Path) -> list[Path]:
    """Its entries, sorted, without hidden ones (archives made on macOS hold ``._`` twins).

    Raises:
        DataError: the folder cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be read as a folder ({error.strerror}); "
            "check that it is one and its permissions"
        ) from error


def recognise(folder: Path, description: DatasetDescription) -> list[DataFolder]:
    """The data set's layouts in a folder and one level below, in the description's order.

    Raises:
        DataError: nothing was recognised, and a folder could not be read.
    """
    unreadable = []
    candidates = [folder]
    found = []
    try:
        candidates += [path for path in list_folder(folder) if path.is_dir()]
    except (DataError, OSError) as error:
        unreadable.append(str(error))
    for layout in description.layouts:
        for candidate in candidates:
            try:
                if _holds(candidate, layout):
                    found.append(DataFolder(layout, candidate))
            except (DataError, OSError) as error:
                unreadable.append(str(error))
    if unreadable and not found:
        raise DataError("\n".join(dict.fromkeys(unreadable)))
    for message in dict.fromkeys(unreadable):
        logger.warning("passed over: %s", message)
    return found


def list_cases(found: DataFolder) -> tuple[list[CaseFiles], list[Fault]]:
    """The cases of a recognised folder, sorted by case, and what is wrong with its file list.

    Raises:
        DataError: a folder of it cannot be read.
    """
    cases: dict[int, CaseFiles] = {}
    faults: list[Fault] = []
    for part in found.layout.parts:
        images_folder = image_folder(found.path, part)
        if images_folder is None:
            continue
        images = _by_case(found.layout, part, images_folder, faults)
        labels: dict[int, Path] = {}
        if part.labels is not None:
            labels = _by_case(found.layout, part, found.path / part.labels, faults)
            faults += _unmatched(images, labels, found.path / part.labels)
        for case, image in images.items():
            if case in cases:
                faults.append(Fault(image, f"case {case} is there twice, see {cases[case].image}"))
            else:
                cases[case] = CaseFiles(case, image, labels.get(case))
    return [cases[case] for case in sorted(cases)], faults + _index_faults(found)


def image_folder(folder: Path, part: LayoutPart) -> Path | None:
    """The first image folder of a part that exists."""
    return next((path for name in part.images if (path := folder / name).exists()), None)


def _holds(folder: Path, layout: Layout) -> bool:
    first = layout.parts[0]
    images = image_folder(folder, first)
    return images is not None and any(
        file_number(first, path.name) is not None for path in list_folder(images)
    )


def _by_case(
    layout: Layout, part: LayoutPart, folder: Path, faults: list[Fault]
) -> dict[int, Path]:
    result: dict[int, Path] = {}
    for path in list_folder(folder):
        number = file_number(part, path.name)
        if number is None:
            if path.name.endswith(ENDINGS):
                logger.warning("%s is left out: its name is not like %s", path, file_name(part, 1))
            continue
        try:
            case = to_case(layout, number)
        except ValueError as error:
            faults.append(Fault(path, f"unknown number: {error}; rename or remove it"))
            continue
        if case in result:
            faults.append(Fault(path, f"case {case} is there twice, see {result[case].name}"))
        else:
            result[case] = path
    return result


def _unmatched(images: dict[int, Path], labels: dict[int, Path], folder: Path) -> list[Fault]:
    missing = [
        Fault(
            path, f"missing label: expected {folder / path.name}; restore it or remove the image"
        )
        for case, path in images.items()
        if case not in labels
    ]
    return missing + [
        Fault(path, "label without an image; restore the image or remove the label")
        for case, path in labels.items()
        if case not in images
    ]


def _index_faults(found: DataFolder) -> list[Fault]:
    """Files that the release's own list names and that are not there."""
    if found.layout.index is None or not (found.path / found.layout.index).is_file():
        return []
    path = found.path / found.layout.index
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))
        entries = [entry for name in ("training", "test") for entry in listed.get(name, [])]
        names = [
            name
            for entry in entries
            for name in (
                (entry["image"], entry.get("label")) if isinstance(entry, dict) else (entry,)
            )
            if name
        ]
        folder = found.path
        # Test images are often left out of a download; training files must be there.
        test = folder / "imagesTs"
        return [
            Fault(folder / name, f"listed in {path.name} and not there; download it again")
            for name in map(str, names)
            if not (folder / name).exists()
            and not ((folder / name).parent == test and not test.exists())
        ]
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        return [Fault(path, f"no readable list of files ({error}); download it again")]
