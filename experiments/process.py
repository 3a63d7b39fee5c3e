"""Which process a run is, so that others can tell whether it is still there."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SECONDS = 5.0


def this_process() -> dict[str, Any]:
    """Host, boot and number of this process, and when the system says that it was started.

    A number alone is given to another process in time, and on another host to a stranger. Hosts
    without ``/proc`` have no boot id; their ``started`` has the words of ``ps``.
    """
    return {"host": platform.node(), "boot": _boot(), "pid": os.getpid(), **_birth(os.getpid())}


def is_gone(process: Mapping[str, Any]) -> bool | None:
    """Whether a recorded process has ended; None where that cannot be seen from here.

    Args:
        process: what :func:`this_process` said in it.
    """
    if process.get("host") != platform.node() or process.get("boot") != _boot():
        return None
    if process.get("namespace") != _birth(os.getpid()).get("namespace"):
        return None  # a container of this host, where the same number is another process
    with suppress(KeyError, TypeError, ValueError):
        born = _birth(int(process["pid"]))
        return not born or born["started"] != process["started"]
    return None


def _boot() -> str | None:
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return None


def _birth(pid: int) -> dict[str, Any]:
    """``started`` of a process, and its ``namespace`` where there are such; empty without it."""
    try:
        # The name of the program is in parentheses and may hold some itself.
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if state in "ZX":  # ended, and not yet collected by its parent
            return {}
        born: dict[str, Any] = {"started": f"{fields[18]} ticks after boot"}
        with suppress(OSError):  # of another user
            born["namespace"] = os.readlink(f"/proc/{pid}/ns/pid")
        return born
    except FileNotFoundError:
        return {} if _BOOT.exists() else _birth_by_ps(pid)


def _birth_by_ps(pid: int) -> dict[str, Any]:
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
        if done.stdout.strip():
            return {"started": done.stdout.strip()}
    return {}
