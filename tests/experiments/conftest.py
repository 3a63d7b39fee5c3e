"""Servers and an Omniboard that the tests of the mirror share."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from experiments.errors import PlainError
from experiments.omniboard import app
from tests.experiments.boards import Board, open_board
from tests.experiments.servers import LockedServer, Proxy, RealServer, Server
from tests.helpers import skip_or_fail


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server for all tests; each takes a database of its own."""
    shared = Server(tmp_path_factory.mktemp("mongo"))
    shared.start()
    yield shared
    shared.kill()


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """The URL of a database that no other test uses."""
    return server.url(f"test{abs(hash(request.node.nodeid))}")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may kill; not started yet."""
    own = Server(tmp_path / "server")
    yield own
    own.kill()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A way to the shared server that can be spoilt."""
    made = Proxy(server.port)
    yield made
    made.close()


@pytest.fixture(scope="session", params=[Server, RealServer], ids=["secantusdb", "mongod"])
def locked_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LockedServer]:
    """A running server that wants a password."""
    made = LockedServer(tmp_path_factory.mktemp("locked"), request.param)
    yield made
    made.kill()


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


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def browser(downloads: Path) -> Iterator[webdriver.Chrome]:
    """Headless Chromium."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        skip_or_fail("Chromium and its driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for option in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu"):
        options.add_argument(f"--{option}")
    options.add_argument("--window-size=2400,1000")
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    service = webdriver.ChromeService(executable_path=str(driver))
    started = webdriver.Chrome(options=options, service=service)
    yield started
    started.quit()
