"""Writes a data set in another of its layouts: ``python -m hipreg.data.convert``.

For tools that know only one of them, and to compare releases. Intensities and labels are kept as
they are; only padding, file names and numbers change, so that converting back restores them.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hipreg.data.checks import Fault, raise_faults
from hipreg.data.description import DatasetDescription, Layout, LayoutPart, describe
from hipreg.data.io import DataError, Volume, read_volume, write_volume
from hipreg.data.layouts import CaseFiles, DataFolder, file_name, list_cases, to_number
from hipreg.data.load import find_data
from hipreg.data.preprocess import centre_start, place, scan_box

logger = logging.getLogger(__name__)


def convert_layout(
    found: DataFolder, target: Path, description: DatasetDescription, to: str
) -> DataFolder:
    """Writes all cases of a folder in another layout.

    Cases that the other layout has no number or folder for are left out, which is logged.

    Args:
        found: the recognised source.
        target: folder in which the layout's own folder is made.
        description: the data set.
        to: name of the layout to write.

    Raises:
        ValueError: there is no such layout.
        DataError: the target is there already, or some files are bad (all are named).
    """
    layouts = {layout.name: layout for layout in description.layouts}
    if to not in layouts:
        raise ValueError(f"{description.title} has the layouts {', '.join(layouts)}; got {to!r}")
    layout = layouts[to]
    folder = target / layout.folder
    if folder.exists():
        raise DataError(f"{folder} is there already; remove it or choose another target")
    cases, faults = list_cases(found)
    known = [case for case in cases if _has_place(layout, case)]
    if len(known) < len(cases):
        left_out = sorted({case.case for case in cases} - {case.case for case in known})
        logger.warning("%s has no place for the cases %s: left out", layout.name, left_out)
    # Complete or not there at all, like the prepared cache.
    target.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{layout.folder}-", suffix=".tmp", dir=target))

    def write(files: CaseFiles) -> list[Fault]:
        return _write_case(files, layout, temporary, description)

    try:
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            faults += [fault for bad in pool.map(write, known) for fault in bad]
        raise_faults(faults, f"{description.title} in {found.path}")
        if layout.index is not None:
            _write_index(known, layout, temporary, description)
        temporary.chmod(0o755)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return DataFolder(layout, folder)


def _has_place(layout: Layout, files: CaseFiles) -> bool:
    numbered = layout.numbering is None or files.case in layout.numbering
    return numbered and any(_suits(part, files.label is not None) for part in layout.parts)


def _suits(part: LayoutPart, labelled: bool) -> bool:
    return (part.labels is not None) == labelled


def _part(layout: Layout, labelled: bool) -> LayoutPart:
    return next(part for part in layout.parts if _suits(part, labelled))


def _write_case(
    files: CaseFiles, layout: Layout, folder: Path, description: DatasetDescription
) -> list[Fault]:
    part = _part(layout, files.label is not None)
    name = file_name(part, to_number(layout, files.case))
    paths = [(files.image, folder / part.images[0] / name)]
    if files.label is not None and part.labels is not None:
        paths.append((files.label, folder / part.labels / name))
    volumes = []
    for path, _ in paths:
        try:
            volumes.append(read_volume(path))
        except DataError as error:
            return [Fault(path, str(error))]
    shape = volumes[0].data.shape
    if len(shape) != 3 or any(volume.data.shape != shape for volume in volumes):
        shapes = [volume.data.shape for volume in volumes]
        return [Fault(files.image, f"shapes {shapes} of image and label; expected one 3D shape")]
    if layout.padded and any(n > m for n, m in zip(shape, description.size, strict=True)):
        return [
            Fault(
                files.image,
                f"shape {shape}; expected at most {description.size}, which is the size of every "
                f"file of {layout.name}: this case cannot be converted without loss",
            )
        ]
    regridded = _regrid(volumes, layout.padded, description)
    for volume, (_, path) in zip(regridded, paths, strict=True):
        write_volume(path, volume.data, volume.affine)
    return []


def _regrid(volumes: list[Volume], padded: bool, description: DatasetDescription) -> list[Volume]:
    """Image and label without their padding, or centred and padded to the description's size."""
    box = scan_box(volumes[0].data)
    data = [volume.data[box] for volume in volumes]
    start = np.array([part.start for part in box], dtype=np.float64)
    if padded:
        size = data[0].shape
        offset = centre_start((size[0], size[1], size[2]), description.size)
        start -= offset
        ends = [
            (first, want - first - have)
            for first, have, want in zip(offset, size, description.size, strict=True)
        ]
        data = [np.pad(data[0], ends, mode="edge")] + [
            place(label, offset, description.size) for label in data[1:]
        ]
    affine = volumes[0].affine.copy()
    affine[:3, 3] += affine[:3, :3] @ start
    return [
        Volume(array, affine, volume.spacing, volume.axes)
        for array, volume in zip(data, volumes, strict=True)
    ]


def _write_index(
    cases: list[CaseFiles], layout: Layout, folder: Path, description: DatasetDescription
) -> None:
    """The release's own list of files."""
    training, test = [], []
    for number, labelled in sorted(
        (to_number(layout, case.case), case.label is not None) for case in cases
    ):
        part = _part(layout, labelled)
        image = f"./{part.images[0]}/{file_name(part, number)}"
        if labelled:
            training.append(
                {"image": image, "label": f"./{part.labels}/{file_name(part, number)}"}
            )
        else:
            test.append(image)
    listed = {
        "name": layout.folder,
        "description": description.title,
        "tensorImageSize": "3D",
        "numTraining": len(training),
        "numTest": len(test),
        "training": training,
        "test": test,
    }
    path = folder / str(layout.index)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command.

    Raises:
        SystemExit: something is wrong with the data; the message says what.
    """
    parser = argparse.ArgumentParser(prog="python -m hipreg.data.convert", description=__doc__)
    parser.add_argument("source", type=Path, help="a folder in any layout, or its parent")
    parser.add_argument("target", type=Path, help="where the new folder is made")
    parser.add_argument("--to", required=True, help="decathlon, learn2reg2020 or learn2reg_v2")
    parser.add_argument("--dataset", default="hippocampus")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        description = describe(options.dataset)
        found = find_data(description, options.source)
        made = convert_layout(found, options.target, description, options.to)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    logger.info("%s written from %s", made.path, found.path)


if __name__ == "__main__":
    main()
