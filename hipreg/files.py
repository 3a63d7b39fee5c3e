"""Writing files so that readers see the old or the new one, and never a part."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says of a disk that is full, or of a user who may take no more of it."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name to write to, which becomes ``path`` when the block ends without an error.

    Args:
        path: The file to make or replace; its folder must exist.

    Yields:
        A name beside it that no other process uses. Nothing is left under it after an error.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        _flush(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def space_left(path: Path) -> str:
    """How full the disk is that a path lies on, as in ``0.1 of 64.0 MB are free on /scratch``.

    Args:
        path: Any file or folder, there or not.
    """
    there = path.absolute()
    while not there.exists():
        there = there.parent
    usage = shutil.disk_usage(there)
    while not there.is_mount():
        there = there.parent
    return f"{usage.free / 1e6:.1f} of {usage.total / 1e6:.1f} MB are free on {there}"


def refuse_existing(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder for results that holds something already.

    Raises:
        FileExistsError: If it is there, not empty and not to be overwritten, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; expected a folder to write to")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise FileExistsError(
            f"{folder} is there already and not empty; nothing was overwritten. Choose another "
            "folder, or say --overwrite (overwrite=True)"
        )


@contextlib.contextmanager
def filling(folder: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a new folder to fill, whose files come to lie in ``folder`` when all of them are there.

    Args:
        folder: Where the files go; made with its parents where needed.
        overwrite: Replace files and folders of the same names; others in the folder stay.

    Yields:
        A folder beside it. Nothing is left of it after an error.

    Raises:
        FileExistsError: See :func:`refuse_existing`.
    """
    refuse_existing(folder, overwrite=overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        yield part
        folder.mkdir(exist_ok=True)
        for path in sorted(part.iterdir()):
            target = folder / path.name
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            path.replace(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _flush(path: Path) -> None:
    """Bring a file to the disk, so that a power cut after the renaming leaves no empty file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
