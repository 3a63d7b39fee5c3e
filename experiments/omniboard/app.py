"""Omniboard itself: installed once, at pinned versions and without their scripts, and started."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

from experiments.errors import PlainError
from experiments.omniboard.process import Beside, only_one
from experiments.redaction import secrets_of
from experiments.run_folder import copy_file

SOURCE = Path(__file__).parent / "node"
"""Our launcher, and what npm is to install: package.json and its lock."""

APP = Path(__file__).resolve().parents[2] / ".omniboard"
"""Where it is installed; ignored by git and by everything that looks for Python files."""

_OLDEST_NODE = 18
_LOCK = "package-lock.json"
_STAMP = ".installed"
_SECONDS = 60.0  # to start


def install(app: Path = APP) -> Path:
    """Install Omniboard where that is not done; returns the launcher.

    Raises:
        PlainError: there is no Node.js or npm, or npm fails.
    """
    node, npm = _tool("node"), _tool("npm")
    version = _output([node, "--version"])
    found = re.match(r"v(\d+)", version)
    if not found or int(found[1]) < _OLDEST_NODE:
        raise PlainError(f"Omniboard needs Node.js {_OLDEST_NODE} or later, found {version}")
    wanted = hashlib.sha256((SOURCE / _LOCK).read_bytes()).hexdigest()
    stamp = app / _STAMP
    try:
        app.mkdir(parents=True, exist_ok=True)
        with only_one(app / ".lock", wait=True):
            for file in SOURCE.iterdir():
                copy_file(file, app / file.name)
            if not stamp.exists() or stamp.read_text() != wanted:
                print(f"Installing Omniboard into {app} (once; a minute or so)", flush=True)
                _npm_ci(npm, app)
                stamp.write_text(wanted)
    except OSError as error:
        raise PlainError(f"cannot install Omniboard into {app}: {error.strerror}") from error
    return app / "launch.js"


def start(launcher: Path, url: str, *, database: str, port: int, log: Path) -> tuple[Beside, str]:
    """Start Omniboard on loopback alone; returns it and its address.

    The URL goes by the environment: the list of processes does not show it.

    Args:
        launcher: what :func:`install` returned.
        url: MongoDB's URL.
        database: the database there.
        port: the first port to try.
        log: where its output goes.

    Raises:
        PlainError: it does not start.
    """
    environment = {
        "MONGO_URI": with_database(url, database),
        "PORT": str(port),
        "OMNIBOARD_PARENT": "1",
    }
    command = [_tool("node"), str(launcher)]
    board = Beside(command, log, environment=environment, secrets=secrets_of(url))
    listening = board.line("LISTENING ", _SECONDS)
    connected = board.line("Connection to ", _SECONDS) if listening else None
    if connected is None:
        board.end()
        raise PlainError(f"Omniboard does not start; {log} ends with:\n{board.last_words()}")
    return board, f"http://127.0.0.1:{listening}/sacred"


def with_database(url: str, database: str) -> str:
    """``url`` with its database named in the path, where Omniboard looks for it.

    The credentials stay those of the database "admin" where the URL leaves that open.
    """
    scheme, _, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    place, _, options = place.partition("?")
    hosts, _, path = place.partition("/")
    parts = [option for option in options.split("&") if option]
    if at and not path and not any(part.lower().startswith("authsource=") for part in parts):
        parts.append("authSource=admin")
    query = f"?{'&'.join(parts)}" if parts else ""
    return f"{scheme}://{credentials}{at}{hosts}/{path or quote(database)}{query}"


def _npm_ci(npm: str, app: Path) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, cwd=app, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise PlainError(f"npm could not install Omniboard into {app}:\n{said}")
    # The package carries what its pages were built with, 350 MB that nothing here reads.
    shutil.rmtree(app / "node_modules" / "omniboard" / "web" / "node_modules", True)


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise PlainError(
            f"Omniboard needs Node.js {_OLDEST_NODE} or later with npm, and there is no {name}; "
            "Debian and Ubuntu: apt install nodejs npm; others: https://nodejs.org. "
            "Without them: python -m experiments.runs list"
        )
    return found


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()
