"""A real MongoDB-compatible server that can be killed, and a proxy that spoils its connections."""

from __future__ import annotations

import contextlib
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pymongo
import pytest

from tests.helpers import skip_or_fail


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


class Server:
    """SecantusDB on loopback, with its data in a folder that outlives it."""

    def __init__(self, storage: Path, *options: str) -> None:
        program = shutil.which("secantusd-py", path=str(Path(sys.executable).parent))
        if program is None:
            skip_or_fail("SecantusDB is not installed")
        self.port = free_port()
        self._command = [str(program), "--host", "127.0.0.1", "--port", str(self.port)]
        self._command += ["--storage-path", str(storage), *options]
        self._storage = storage
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "records") -> str:
        return f"mongodb://127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        self._storage.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._storage,
        )
        for _ in range(300):
            assert self._process.poll() is None, "the server ended by itself"
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            time.sleep(0.1)
        pytest.fail("the server did not start within 30 s")

    def kill(self) -> None:
        """End it as a power cut would, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=30)


class RealServer(Server):
    """MongoDB itself, where it is installed; no package of pip, npm or Debian has it."""

    def __init__(self, storage: Path, *options: str) -> None:
        program = shutil.which("mongod")
        if program is None:
            pytest.skip("MongoDB's own server is not installed")
        self.port = free_port()
        self._command = [program, "--bind_ip", "127.0.0.1", "--port", str(self.port)]
        self._command += ["--dbpath", str(storage), *options]
        self._storage = storage
        self._process: subprocess.Popen[bytes] | None = None


class LockedServer:
    """A server that wants a password.

    Attributes:
        password: of its only user.
    """

    def __init__(self, storage: Path, kind: type[Server] = Server) -> None:
        # Another each time: a fixed one would be in the sources that a run keeps.
        self.password = token_hex(8)
        opened = kind(storage)
        opened.start()
        with database(opened.url("admin")) as admin:
            roles = [{"role": "root", "db": "admin"}]
            admin.command("createUser", "someone", pwd=self.password, roles=roles)
        opened.stop()
        self._server = kind(storage, "--auth")
        self._server.start()

    def url(self, name: str) -> str:
        """The URL of a database, with the password."""
        place = f"127.0.0.1:{self._server.port}/{name}?authSource=admin"
        return f"mongodb://someone:{self.password}@{place}"

    def kill(self) -> None:
        self._server.kill()


@contextlib.contextmanager
def database(url: str) -> Iterator[Any]:
    """The database of ``url``, as somebody else reads it."""
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(url)
    try:
        yield client.get_default_database()
    finally:
        client.close()


class Proxy:
    """Passes connections on to a server: after a delay, or not at all.

    Attributes:
        delay: seconds that each piece of a request waits.
        resets: requests that are still to be answered by a reset of their connection.
        lost_answers: answers that are still to be lost, by a reset after the request was served.
        broken: how many connections were reset.
    """

    def __init__(self, target: int) -> None:
        self.delay = 0.0
        self.resets = 0
        self.lost_answers = 0
        self.broken = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._open += [client, server]
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, asks: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if self._breaks("resets" if asks else "lost_answers"):
                    if asks:
                        # Closing with a linger of 0 sends a reset instead of a good-bye.
                        linger = struct.pack("ii", 1, 0)
                        source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                        source.close()
                    break
                if asks:
                    time.sleep(self.delay)
                target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):  # wakes the thread that still reads from it
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _breaks(self, fault: str) -> bool:
        with self._lock:
            left = getattr(self, fault)
            if left == 0:
                return False
            setattr(self, fault, left - 1)
            self.broken += 1
            return True
