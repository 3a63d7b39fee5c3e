"""A PostgreSQL server of the tests' own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import skip_or_fail
from tests.studies.bowl import PASSWORD


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = str(found[-1]) if found else shutil.which(name)
    if path is None:
        skip_or_fail("PostgreSQL is not installed")
    return str(path)


def _as_other(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["runuser", "-u", "nobody", "--", *command] if os.geteuid() == 0 else command


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a database on a server that listens on loopback and wants a password."""
    initdb, control = _program("initdb"), _program("pg_ctl")
    # pytest's own folders are closed to other users.
    home = Path(tempfile.mkdtemp(prefix="hipreg-postgresql-"))
    if os.geteuid() == 0:
        shutil.chown(home, "nobody")
    secret = home / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    data, port = home / "data", _free_port()
    settings = f"-h 127.0.0.1 -p {port} -k '' -c fsync=off"
    try:
        for command in (
            [initdb, "-D", str(data), "-U", "me", "-A", "scram-sha-256", f"--pwfile={secret}"],
            [control, "-D", str(data), "-l", str(home / "log"), "-w", "-o", settings, "start"],
        ):
            done = subprocess.run(
                _as_other(command), cwd=home, capture_output=True, text=True, timeout=300
            )
            assert done.returncode == 0, done.stdout + done.stderr
        yield f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        stop = [control, "-D", str(data), "-m", "immediate", "stop"]
        subprocess.run(_as_other(stop), cwd=home, capture_output=True, timeout=120, check=False)
        shutil.rmtree(home, ignore_errors=True)
