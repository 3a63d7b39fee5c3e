"""A MongoDB-compatible server of one's own, for a workstation: SecantusDB, a separate process."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
import time
from pathlib import Path

from experiments.errors import PlainError
from experiments.omniboard.process import Beside

_PROGRAM = "secantusd-py"
_SECONDS = 60.0  # to start
_TRIES = 3


def start(folder: Path, log: Path) -> tuple[Beside, str]:
    """Start a server on loopback whose data lie in ``folder``; returns it and its URL.

    Raises:
        PlainError: it is not installed, or does not start.
    """
    program = shutil.which(_PROGRAM, path=str(Path(sys.executable).parent)) or shutil.which(
        _PROGRAM
    )
    if program is None:
        raise PlainError(
            "there is no MongoDB to look at: give its URL with --mongo-url or HIPREG_MONGO_URL, "
            "or install a server of your own with: pip install 'hipreg[omniboard]' "
            "(make omniboard does)"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(_TRIES):  # the port can be lost to another program before it is used
        port = _free_port()
        place = ["--host", "127.0.0.1", "--port", str(port), "--storage-path", str(folder)]
        server = Beside([program, *place, "--log-level", "WARNING"], log)
        if _answers(server, port):
            return server, f"mongodb://127.0.0.1:{port}/"
        server.end()
    raise PlainError(f"the database does not start; {log} ends with:\n{server.last_words()}")


def _answers(server: Beside, port: int) -> bool:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and not server.ended:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return not server.ended
        time.sleep(0.1)
    return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
