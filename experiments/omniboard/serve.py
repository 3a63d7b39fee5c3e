"""Everything that it takes to look at the runs in Omniboard, started and ended together."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from experiments import run_folder
from experiments.errors import PlainError
from experiments.mongo.connect import Connection, connect, make_indexes, said
from experiments.omniboard import app, columns, database
from experiments.omniboard.process import Beside, only_one, until_stopped
from experiments.redaction import redact, secrets_of
from experiments.sync import Follower, digests

logger = logging.getLogger(__name__)

PORT = 9000
"""The port of Omniboard, or the next free one."""

FOLDER = ".omniboard"
"""Below the folder of all runs: the database of its own, and the logs."""

OWN = "Omniboard's own database"
"""What the database is called that has no URL of anybody's."""

_EVERY = 3.0  # seconds between two looks for new records
_PATIENCE = 12.0


@dataclass(frozen=True, slots=True)
class _Board:
    """What runs: Omniboard, maybe a database of its own, and a connection to it."""

    connection: Connection
    url: str
    programs: list[Beside]
    address: str


def serve(root: Path, url: str | None = None, *, port: int = PORT) -> None:
    """Show the runs under ``root`` in Omniboard, new ones too, until Ctrl-C or SIGTERM.

    Args:
        root: the folder of all runs; it need not exist yet.
        url: MongoDB's URL; None for a server of its own whose data are kept below ``root``.
        port: the first port to try.

    Raises:
        PlainError: something is missing or does not start; what was started is ended again.
    """
    home = Path(root) / FOLDER
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlainError(f"cannot write to {home}: {error.strerror}") from error
    with only_one(home / "lock") as alone, until_stopped() as stopped:
        if not alone:
            print(f"Omniboard of {root} is already open: {_where(home)}")
            return
        with _started(home, url, port) as board:
            _announce(home, board)
            _mirror(Path(root), board, stopped)
            print("\nEnding Omniboard")
        (home / "open.json").unlink(missing_ok=True)


@contextlib.contextmanager
def _started(home: Path, url: str | None, port: int) -> Iterator[_Board]:
    launcher = app.install()
    with contextlib.ExitStack() as ends:
        programs = []
        own = not url
        if not url:
            server, url = database.start(home / "database", home / "database.log")
            ends.callback(server.end)
            programs.append(server)
        connection = connect(url, patience=_PATIENCE)
        if own:  # its port is another each time
            connection = replace(connection, name=OWN)
        ends.callback(connection.client.close)
        try:
            make_indexes(connection.database)
            columns.preload(connection.database)
        except Exception as error:
            name = connection.name
            raise PlainError(f"cannot use MongoDB at {name}: {said(error, url)}") from None
        name = connection.database.name
        log = home / "omniboard.log"
        board, address = app.start(launcher, url, database=name, port=port, log=log)
        ends.callback(board.end)
        yield _Board(connection, url, [*programs, board], address)


def _mirror(root: Path, board: _Board, stopped: threading.Event) -> None:
    """Mirror what is there and what comes, until told to stop or a program is gone."""
    follower: Follower | None = None
    behind = False
    while not stopped.is_set():
        for program in board.programs:
            if program.ended:
                raise PlainError(
                    f"{program.name} ended by itself; {program.log} ends with:\n"
                    f"{program.last_words()}"
                )
        try:
            first = follower is None
            if follower is None:
                known = digests(board.connection.database)
                follower = Follower(root, board.url, board.connection, known)
            report = follower.look(progress=first, stopped=stopped)
            if first or (behind and not report.failed):
                print(report, flush=True)
            behind = bool(report.failed)
        except Exception as error:
            if not behind:
                logger.warning("the mirror is behind: %s", said(error, board.url))
            behind = True
        stopped.wait(_EVERY)


def _announce(home: Path, board: _Board) -> None:
    place = redact(board.url, secrets_of(board.url))
    state = {"address": board.address, "pid": os.getpid(), "database": place}
    run_folder.write_json(home / "open.json", state)
    print(f"Omniboard: {board.address}   (Ctrl-C ends it)", flush=True)


def _where(home: Path) -> str:
    try:
        known = json.loads((home / "open.json").read_text())
        return f"{known['address']} (process {known['pid']})"
    except (OSError, ValueError, KeyError):
        return "it is just being started"
