"""Writing files so that readers see the old or the new one, and never a part."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


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


def _flush(path: Path) -> None:
    """Bring a file to the disk, so that a power cut after the renaming leaves no empty file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
