"""Prepared images on disk: folders that are there whole or not at all, memory-mapped.

A folder is ``<name>-<key>`` with images.npy, labels.npy (where the images have labels) and
meta.json. It is built under a temporary name and renamed when complete, also with several
processes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hipreg.data.cohort import Cohort
from hipreg.data.description import DatasetDescription
from hipreg.data.io import DataError
from hipreg.data.placement import Placement

logger = logging.getLogger(__name__)

_STALE_SECONDS = 6 * 3600


def built_once(
    folder: Path, description: DatasetDescription, key: str, build: Callable[[Path], None]
) -> Cohort:
    """Builds a prepared folder and loads it.

    Args:
        folder: what it is to be called; its parent is made where needed.
        description: the data set.
        key: of its sources and settings, which ``build`` stores in its meta.json.
        build: fills a temporary folder; what it raises leaves nothing behind.

    Raises:
        DataError: it cannot be written.
    """
    cache_dir = folder.parent
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        _remove_stale(cache_dir)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=".tmp", dir=cache_dir))
    except OSError as error:
        raise _unwritable(cache_dir, error) from error
    began = time.perf_counter()
    try:
        build(temporary)
        _publish(temporary, folder)
    except OSError as error:
        raise _unwritable(cache_dir, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    logger.info("prepared in %.1f s: %s", time.perf_counter() - began, folder)
    cohort = load_prepared(folder, description, key)
    if cohort is None:
        raise DataError(f"{folder}: the prepared data vanished or was damaged; start again")
    return cohort


def stamps(paths: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Path, size and time of change of every file; -1 for one that cannot be looked at."""
    result = []
    for path in paths:
        try:
            stat = path.stat()
            result.append((str(path.resolve()), stat.st_size, stat.st_mtime_ns))
        except OSError:
            result.append((str(path), -1, -1))
    return result


def key_of(settings: Mapping[str, Any]) -> str:
    """A short hash of plain values."""
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]


def write_meta(
    folder: Path,
    key: str,
    *,
    shape: Sequence[int],
    cases: Sequence[int],
    labelled: Sequence[bool],
    placements: Sequence[Placement],
    digests: Sequence[str],
) -> None:
    """Writes what belongs to the arrays of a prepared folder.

    Args:
        folder: the folder that is being built.
        key: of its sources and settings.
        shape: of images.npy and labels.npy.
        cases: case numbers.
        labelled: whether each case has labels; there is no labels.npy where none has.
        placements: of each case.
        digests: hash of each case's image and labels.
    """
    lines = [f"{case}:{digest}" for case, digest in zip(cases, digests, strict=True)]
    meta = {
        "key": key,
        "shape": list(shape),
        "cases": list(cases),
        "labelled": list(labelled),
        "placements": [asdict(placement) for placement in placements],
        "fingerprint": hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16],
    }
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")


def allocate(path: Path, kind: npt.DTypeLike, shape: tuple[int, ...]) -> Any:
    """A new memory-mapped array whose disk space is taken now.

    A map into a sparse file would end the process with a bus error where the disk is full.
    """
    array = np.lib.format.open_memmap(path, "w+", kind, shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _unwritable(cache_dir: Path, error: OSError) -> DataError:
    return DataError(
        f"{cache_dir}: cannot write prepared data there ({error.strerror}); "
        "set HIPREG_CACHE or cache_dir to a folder with space that can be written"
    )


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
        kinds: dict[str, Any] = {"images.npy": np.float32}
        if any(meta["labelled"]):
            kinds["labels.npy"] = np.uint8
        arrays = {name: np.load(folder / name, mmap_mode="r") for name in kinds}
        return all(a.shape == shape and a.dtype == kinds[name] for name, a in arrays.items())
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return False


def load_prepared(folder: Path, description: DatasetDescription, key: str) -> Cohort | None:
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
        labels=_labels(folder, meta),
        labelled=tuple(meta["labelled"]),
        placements=tuple(_placement(entry) for entry in meta["placements"]),
        fingerprint=meta["fingerprint"],
    )


def _labels(folder: Path, meta: dict[str, Any]) -> npt.NDArray[np.uint8]:
    """The labels of a prepared folder; zeros that take no memory where it has none."""
    if any(meta["labelled"]):
        labels: npt.NDArray[np.uint8] = np.load(folder / "labels.npy", mmap_mode="r")
        return labels
    return np.broadcast_to(np.zeros((), np.uint8), meta["shape"])


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
