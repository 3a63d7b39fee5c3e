"""The prepared cache: all cases of a data set on one grid, memory-mapped.

A cache is a folder ``<data set>-<key>``, see ``hipreg.data.store``. The key covers the source
files (path, size, time of change) and the settings.
"""

from __future__ import annotations

import hashlib
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hipreg.data.checks import Fault, image_faults, label_faults, match_faults, raise_faults
from hipreg.data.cohort import Cohort
from hipreg.data.description import DatasetDescription
from hipreg.data.io import DataError, Volume, read_volume
from hipreg.data.layouts import CaseFiles, DataFolder, list_cases
from hipreg.data.placement import Placement
from hipreg.data.preprocess import PreparedCase, prepare_case, scale_factors
from hipreg.data.store import allocate, built_once, key_of, load_prepared, stamps, write_meta

logger = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever preprocessing gives other values from the same sources and settings."""


def prepared_cohort(found: DataFolder, description: DatasetDescription, cache_dir: Path) -> Cohort:
    """Loads the prepared cases of a folder, preparing them first where that is needed.

    Args:
        found: the recognised data folder.
        description: the data set.
        cache_dir: folder of the caches; made where needed.

    Raises:
        DataError: some files are bad (all are named), or the cache cannot be written.
    """
    cases, faults = list_cases(found)
    what = f"{description.title} in {found.path}"
    files = [path for case in cases for path in (case.image, case.label) if path is not None]
    sources = stamps(files)
    key = _key(found, description, sources)
    folder = cache_dir / f"{description.name}-{key}"
    if not faults:
        cohort = load_prepared(folder, description, key)
        if cohort is not None:
            return cohort
    logger.info("preparing %d cases of %s", len(cases), what)
    return built_once(
        folder,
        description,
        key,
        lambda temporary: _build(temporary, found, description, key=key, what=what),
    )


def _key(
    found: DataFolder, description: DatasetDescription, sources: list[tuple[str, int, int]]
) -> str:
    settings: dict[str, Any] = {
        "version": VERSION,
        "layout": found.layout.name,
        "numbering": found.layout.numbering,
        "labels": sorted(description.labels),
        "size": description.size,
        "spacing": description.spacing,
        "intensity": repr(description.intensity),
        "sources": sources,
    }
    return key_of(settings)


def _build(
    folder: Path, found: DataFolder, description: DatasetDescription, *, key: str, what: str
) -> None:
    """Checks and prepares every case into ``folder``; raises for all bad files at once."""
    cases, faults = list_cases(found)
    shape = (len(cases), *description.size)
    images: npt.NDArray[np.float32] = allocate(folder / "images.npy", np.float32, shape)
    labels: npt.NDArray[np.uint8] = allocate(folder / "labels.npy", np.uint8, shape)

    def fill(row: int) -> _Filled:
        bad, image, label = _read_case(cases[row], description)
        if bad or image is None:
            return _Filled(bad, None, "", "")
        prepared = prepare_case(image, label, description)
        _report(cases[row], image, prepared, description)
        images[row], labels[row] = prepared.image, prepared.label
        digest = hashlib.sha256(prepared.image.tobytes() + prepared.label.tobytes())
        return _Filled([], prepared.placement, digest.hexdigest(), image.axes)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        filled = list(pool.map(fill, range(len(cases))))
    raise_faults([*faults, *(fault for result in filled for fault in result.faults)], what)
    _warn_mixed_axes([result.axes for result in filled], what)
    write_meta(
        folder,
        key,
        shape=shape,
        cases=[case.case for case in cases],
        labelled=[case.label is not None for case in cases],
        placements=[result.placement for result in filled if result.placement],
        digests=[result.digest for result in filled],
    )


@dataclass(frozen=True, slots=True)
class _Filled:
    """What became of one case."""

    faults: list[Fault]
    placement: Placement | None
    digest: str
    axes: str


def _read_case(
    files: CaseFiles, description: DatasetDescription
) -> tuple[list[Fault], Volume | None, Volume | None]:
    faults: list[Fault] = []
    volumes: list[Volume | None] = []
    for path in (files.image, files.label):
        volume = None
        if path is not None:
            try:
                volume = read_volume(path)
            except DataError as error:
                faults.append(Fault(path, str(error)))
        volumes.append(volume)
    image, label = volumes
    if image is not None:
        faults += image_faults(files.image, image)
    if label is not None and files.label is not None:
        faults += label_faults(files.label, label, description)
        if image is not None and not faults:
            faults += match_faults(files.image, image, files.label, label)
    return faults, image, label


def _report(
    files: CaseFiles, image: Volume, prepared: PreparedCase, description: DatasetDescription
) -> None:
    if scale_factors(image.spacing, description.spacing) != (1.0, 1.0, 1.0):
        edges = " x ".join(f"{edge:g}" for edge in image.spacing)
        logger.warning(
            "%s: resampled from %s mm to %g mm", files.image, edges, description.spacing
        )
    if prepared.lost_labels:
        logger.warning(
            "%s: larger than %s voxels; the crop cut off %d label voxels",
            files.image,
            description.size,
            prepared.lost_labels,
        )
    if files.label is not None and not prepared.label.any():
        logger.warning("%s: holds no label at all", files.label)


def _warn_mixed_axes(axes: list[str], what: str) -> None:
    kinds = {kind: axes.count(kind) for kind in sorted(set(axes))}
    if len(kinds) > 1:
        logger.warning("%s: the arrays' axes point in different directions: %s", what, kinds)
