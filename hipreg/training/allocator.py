"""How this process's memory allocator treats large blocks."""

from __future__ import annotations

import ctypes
import logging
import sys

logger = logging.getLogger(__name__)

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> bool:
    """Let freed volumes be used again instead of going back to the system.

    The C library of Linux maps every large tensor anew, and the system clears its pages at the
    first touch. A training step on the CPU allocates and frees gigabytes, all of the same few
    sizes: keeping them takes a quarter off its time, an eighth where the network is wide. Freed
    volumes do not always fit the next ones, so that the peak is higher by three or four tenths,
    and a process keeps what it once used: this is for programs that train and not for a library to
    impose.

    Returns:
        Whether it took effect; False where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    taken = bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))
    logger.debug("freed memory is %s", "kept" if taken else "returned as usual")
    return taken
