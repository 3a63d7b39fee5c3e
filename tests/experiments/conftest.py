"""Servers and an Omniboard that the tests of the mirror share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.errors import PlainError
from experiments.omniboard import app
from tests.experiments.boards import Board, open_board
from tests.experiments.servers import LockedServer, Proxy, Server
from tests.helpers import skip_or_fail


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server for all tests; each takes a database of its own."""
    shared = Server(tmp_path_factory.mktemp("mongo"))
    shared.start()
    yield shared
    shared.stop()


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """The URL of a database that no other test uses."""
    return server.url(f"test{abs(hash(request.node.nodeid))}")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may kill; not started yet."""
    own = Server(tmp_path / "server")
    yield own
    own.stop()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A way to the shared server that can be spoilt."""
    made = Proxy(server.port)
    yield made
    made.close()


@pytest.fixture(scope="session")
def locked_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedServer]:
    """A running server that wants a password."""
    made = LockedServer(tmp_path_factory.mktemp("locked"))
    yield made
    made.stop()


@pytest.fixture(scope="session")
def installed() -> None:
    """Omniboard as npm installs it, once for this checkout."""
    if shutil.which("npm") is None:
        skip_or_fail("Node.js and npm are not installed")
    try:
        app.install()
    except PlainError as error:
        skip_or_fail(f"Omniboard cannot be installed: {error}")


@pytest.fixture(scope="session")
def board(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """A running Omniboard over two runs, to which tests may add."""
    with open_board(tmp_path_factory.mktemp("runs")) as started:
        yield started
