"""Database servers of the tests' own: PostgreSQL and MySQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.experiments.servers import free_port
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


@contextmanager
def _home(server: str) -> Iterator[Path]:
    """A folder that the other user may write to: pytest's own are closed to him."""
    home = Path(tempfile.mkdtemp(prefix=f"hipreg-{server}-"))
    if os.geteuid() == 0:
        shutil.chown(home, "nobody")
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _call(command: list[str], home: Path) -> None:
    done = subprocess.run(
        _as_other(command), cwd=home, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a database on a server that listens on loopback and wants a password."""
    initdb, control = _program("initdb"), _program("pg_ctl")
    with _home("postgresql") as home:
        secret = home / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        data, port = home / "data", free_port()
        settings = f"-h 127.0.0.1 -p {port} -k '' -c fsync=off"
        try:
            _call(
                [initdb, "-D", str(data), "-U", "me", "-A", "scram-sha-256", f"--pwfile={secret}"],
                home,
            )
            start = ["-l", str(home / "log"), "-w", "-o", settings, "start"]
            _call([control, "-D", str(data), *start], home)
            yield f"postgresql://me:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            stop = [control, "-D", str(data), "-m", "immediate", "stop"]
            subprocess.run(
                _as_other(stop), cwd=home, capture_output=True, timeout=120, check=False
            )


@pytest.fixture(scope="session")
def mysql() -> Iterator[str]:
    """The URL of a database on a MariaDB that listens on loopback and wants a password."""
    install, server = shutil.which("mariadb-install-db"), shutil.which("mariadbd")
    if install is None or server is None:
        skip_or_fail("MariaDB is not installed (apt-get install mariadb-server)")
    with _home("mysql") as home, (home / "log").open("w") as log:
        data, port, first = home / "data", free_port(), home / "first.sql"
        first.write_text(
            "CREATE DATABASE studies;\n"
            f"CREATE USER 'me'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON studies.* TO 'me'@'127.0.0.1';\n"
        )
        first.chmod(0o644)
        shared = ["--no-defaults", f"--datadir={data}"]
        _call([str(install), *shared, "--skip-test-db"], home)
        place = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={home / 'socket'}"]
        process = subprocess.Popen(
            _as_other([str(server), *shared, *place, f"--init-file={first}", "--skip-log-bin"]),
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            url = f"mysql://me:{PASSWORD}@127.0.0.1:{port}/studies"
            _wait_for_mysql(process, port, home / "log")
            yield url
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait_for_mysql(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    import pymysql

    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text()
        try:
            pymysql.connect(host="127.0.0.1", port=port, user="me", password=PASSWORD).close()
        except pymysql.err.OperationalError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return
