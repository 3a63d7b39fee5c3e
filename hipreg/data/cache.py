"""The prepared cache: all cases of a data set on one grid, memory-mapped.

A cache is a folder ``<data set>-<key>`` with images.npy, labels.npy and meta.json. The key covers
the source files (path, size, time of change) and the settings. It is built under a temporary name
and renamed when complete, so it is there whole or not at all, also with several processes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
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

logger = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever preprocessing gives other values from the same sources and settings."""

_STALE_SECONDS = 6 * 3600


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
    sources = _sources(cases)
    key = _key(found, description, sources)
    folder = cache_dir / f"{description.name}-{key}"
    if not faults:
        cohort = _load(folder, description, key)
        if cohort is not None:
            return cohort
    logger.info("preparing %d cases of %s", len(cases), what)
    began = time.perf_counter()
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        _remove_stale(cache_dir)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".tmp", dir=cache_dir))
    except OSError as error:
        raise _unwritable(cache_dir, error) from error
    try:
        _build(temporary, found, description, key=key, what=what)
        _publish(temporary, folder)
    except OSError as error:
        raise _unwritable(cache_dir, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    logger.info("prepared in %.1f s: %s", time.perf_counter() - began, folder)
    cohort = _load(folder, description, key)
    if cohort is None:
        raise DataError(f"{folder}: the prepared data vanished or was damaged; start again")
    return cohort


def _unwritable(cache_dir: Path, error: OSError) -> DataError:
    return DataError(
        f"{cache_dir}: cannot write prepared data there ({error.strerror}); "
        "set HIPREG_CACHE or cache_dir to a folder with space that can be written"
    )


def _sources(cases: list[CaseFiles]) -> list[tuple[str, int, int]]:
    """Path, size and time of change of every file; -1 for one that cannot be looked at."""
    result = []
    for case in cases:
        for path in (case.image, case.label):
            if path is None:
                continue
            try:
                stat = path.stat()
                result.append((str(path.resolve()), stat.st_size, stat.st_mtime_ns))
            except OSError:
                result.append((str(path), -1, -1))
    return result


def _key(
    found: DataFolder, description: DatasetDescription, sources: list[tuple[str, int, int]]
) -> str:
    settings = {
        "version": VERSION,
        "layout": found.layout.name,
        "numbering": found.layout.numbering,
        "labels": sorted(description.labels),
        "size": description.size,
        "spacing": description.spacing,
        "intensity": repr(description.intensity),
        "sources": sources,
    }
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]


def _build(
    folder: Path, found: DataFolder, description: DatasetDescription, *, key: str, what: str
) -> None:
    """Checks and prepares every case into ``folder``; raises for all bad files at once."""
    cases, faults = list_cases(found)
    shape = (len(cases), *description.size)
    images: npt.NDArray[np.float32] = _allocate(folder / "images.npy", np.float32, shape)
    labels: npt.NDArray[np.uint8] = _allocate(folder / "labels.npy", np.uint8, shape)

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
    digests = [f"{case.case}:{result.digest}" for case, result in zip(cases, filled, strict=True)]
    meta = {
        "key": key,
        "shape": shape,
        "cases": [case.case for case in cases],
        "labelled": [case.label is not None for case in cases],
        "placements": [asdict(result.placement) for result in filled if result.placement],
        "fingerprint": hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16],
    }
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Filled:
    """What became of one case."""

    faults: list[Fault]
    placement: Placement | None
    digest: str
    axes: str


def _allocate(path: Path, kind: npt.DTypeLike, shape: tuple[int, ...]) -> Any:
    """A new memory-mapped array whose disk space is taken now.

    A map into a sparse file would end the process with a bus error where the disk is full.
    """
    array = np.lib.format.open_memmap(path, "w+", kind, shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


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


def _publish(temporary: Path, folder: Path) -> None:
    """Gives a complete cache its name; where another process was first, its cache stays."""
    temporary.chmod(0o755)
    if folder.exists():
        # Present and yet not loadable: damaged. A rename onto it would fail.
        if _is_complete(folder):
            return
        broken = Path(tempfile.mkdtemp(prefix=".broken-", suffix=".tmp", dir=folder.parent))
        folder.replace(broken)
        shutil.rmtree(broken, ignore_errors=True)
    try:
        temporary.rename(folder)
    except OSError:
        if not _is_complete(folder):
            raise


def _is_complete(folder: Path) -> bool:
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        shape = tuple(meta["shape"])
        kinds = {"images.npy": np.float32, "labels.npy": np.uint8}
        arrays = {name: np.load(folder / name, mmap_mode="r") for name in kinds}
        return all(a.shape == shape and a.dtype == kinds[name] for name, a in arrays.items())
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return False


def _load(folder: Path, description: DatasetDescription, key: str) -> Cohort | None:
    """The cohort of a cache; None where it is not there or not whole."""
    if not folder.exists():
        return None
    if not _is_complete(folder):
        logger.warning("%s is damaged and will be prepared again", folder)
        return None
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    if meta["key"] != key:
        return None
    return Cohort(
        description=description,
        cases=tuple(meta["cases"]),
        images=np.load(folder / "images.npy", mmap_mode="r"),
        labels=np.load(folder / "labels.npy", mmap_mode="r"),
        labelled=tuple(meta["labelled"]),
        placements=tuple(_placement(entry) for entry in meta["placements"]),
        fingerprint=meta["fingerprint"],
    )


def _placement(entry: dict[str, Any]) -> Placement:
    affine = tuple(tuple(row) for row in entry.pop("affine"))
    return Placement(affine=affine, **{name: tuple(value) for name, value in entry.items()})


def _remove_stale(cache_dir: Path) -> None:
    """Removes what killed processes left behind."""
    for path in cache_dir.glob(".*.tmp"):
        try:
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue
