"""Servers that the tests of the mirror share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.experiments.servers import Proxy, Server


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
