"""Omniboard over real records, in a real browser, and what it leaves behind: nothing."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sacred.run import Run
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from experiments.errors import PlainError
from experiments.omniboard import app
from experiments.omniboard.columns import CONFIG, preload
from experiments.tracking import artifacts_folder, log_epoch
from tests.experiments.servers import LockedServer, database, free_port
from tests.experiments.test_tracking import ROOT, record
from tests.helpers import skip_or_fail

PICTURES = os.environ.get("HIPREG_TEST_PICTURES")
"""A folder for screenshots, to look at."""


@dataclass
class Board:
    """A running ``python -m experiments.omniboard``."""

    process: subprocess.Popen[str]
    root: Path
    address: str

    @property
    def url(self) -> str:
        server = (self.root / ".omniboard" / "open.json").read_text()
        found = re.search(r"127\.0\.0\.1:\d+/sacred", server.partition("database")[2])
        assert found
        return f"mongodb://{found[0]}"


@pytest.fixture(scope="session")
def installed() -> None:
    """Omniboard as npm installs it, once for this checkout."""
    if shutil.which("npm") is None:
        skip_or_fail("Node.js and npm are not installed")
    try:
        app.install()
    except PlainError as error:
        skip_or_fail(f"Omniboard cannot be installed: {error}")


@contextlib.contextmanager
def serving(root: Path, *options: str, ends_with: int = 0, **environment: str) -> Iterator[Board]:
    """Omniboard over ``root``; ended by SIGINT, as Ctrl-C does it, if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.omniboard", "--runs-dir", str(root), *options],
        cwd=ROOT,
        env={**os.environ, "HIPREG_MONGO_URL": "", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line + process.stdout.read()
        yield Board(process, root, found[0])
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        status = process.wait(timeout=60)
        process.stdout.close()
    assert status == ends_with


def body(run: Run) -> float:
    folder = artifacts_folder(run)
    assert folder is not None
    for epoch in range(5):
        dice, loss = 0.5 + epoch / 100, 1 / (epoch + 1)
        log_epoch(run, epoch, {"val/dice": dice, "val/hd95": 4 - epoch / 10, "train/loss": loss})
    log_epoch(run, 5, {"train/loss": float("nan")})
    (folder / "pairs_val.csv").write_text("pair,dice\n1,0.54\n")
    run.add_artifact(folder / "pairs_val.csv")
    return 0.54


@pytest.fixture(scope="module")
def board(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    root = tmp_path_factory.mktemp("runs")
    record(body, root)
    with pytest.raises(ValueError, match="999"):
        record(failing, root)
    with serving(root, "--port", str(free_port())) as started:
        with database(started.url) as db:
            wait(lambda: db["runs"].count_documents({"meta.mirror": {"$exists": True}}) == 2)
        yield started


def failing(run: Run) -> None:
    raise ValueError("no such case: 999")


def wait(condition: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
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


def text(browser: webdriver.Chrome) -> str:
    return str(browser.find_element(By.TAG_NAME, "body").text)


def see(browser: webdriver.Chrome, *words: str) -> str:
    """The text of the page, once it has all of ``words``."""
    WebDriverWait(browser, 60).until(lambda _: all(word in text(browser) for word in words))
    return text(browser)


def picture(browser: webdriver.Chrome, name: str) -> None:
    if PICTURES:
        browser.save_screenshot(str(Path(PICTURES) / f"{name}.png"))


def test_page_shows_runs_with_status_configuration_and_metrics(
    board: Board, browser: webdriver.Chrome
) -> None:
    browser.get(board.address)
    shown = see(browser, "COMPLETED", "FAILED", "0.54", "sym")
    picture(browser, "runs")
    for column in ("val/dice max", "val/hd95 min", "train/loss last", "configuration", "seed"):
        assert column in shown
    assert "3.6" in shown  # the smallest HD95


def press(browser: webdriver.Chrome, selector: str) -> None:
    """Click what a CSS selector finds, once it is there."""
    found = WebDriverWait(browser, 60).until(
        lambda _: browser.find_elements(By.CSS_SELECTOR, selector)
    )
    browser.execute_script("arguments[0].click()", found[0])


def press_text(browser: webdriver.Chrome, word: str) -> None:
    found = WebDriverWait(browser, 60).until(lambda _: browser.find_elements(By.LINK_TEXT, word))
    browser.execute_script("arguments[0].click()", found[0])


def test_metric_plot_opens_and_artifact_has_its_bytes(
    board: Board, browser: webdriver.Chrome, downloads: Path
) -> None:
    browser.get(board.address)
    see(browser, "COMPLETED", "FAILED")
    with database(board.url) as db:
        last = db["runs"].count_documents({}) - 1  # the oldest run is the last row
    press(browser, f"a.pointer[test-attr^='cell-'][test-attr$='-{last}']")
    press_text(browser, "Metrics Plot")
    traces = ".js-plotly-plot .scatterlayer .trace"
    WebDriverWait(browser, 60).until(lambda _: browser.find_elements(By.CSS_SELECTOR, traces))
    picture(browser, "plot")
    assert len(browser.find_elements(By.CSS_SELECTOR, traces)) == 3
    press_text(browser, "Artifacts")
    press(browser, ".accordion__title")
    press(browser, "[test-attr='down-btn-pairs_val.csv']")
    got = downloads / "pairs_val.csv"
    wait(got.exists)
    picture(browser, "artifact")
    assert got.read_bytes() == (board.root / "1/artifacts/pairs_val.csv").read_bytes()


def test_run_that_comes_is_seen(board: Board, browser: webdriver.Chrome) -> None:
    record(lambda run: log_epoch(run, 0, {"val/dice": 0.9125}), board.root)
    with database(board.url) as db:
        wait(lambda: db["runs"].count_documents({"status": "COMPLETED"}) == 2)
    browser.get(board.address)
    see(browser, "0.9125")


def ask(address: str, **headers: str) -> int:
    """The status that a request gets."""
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_nothing_but_this_machine_and_its_own_page_is_answered(board: Board) -> None:
    assert ask(f"{board.address}/api/v1/Runs/count") == 200
    assert ask(f"{board.address}/api/v1/Runs/count", Origin="http://elsewhere.example") == 403
    assert ask(f"{board.address}/api/v1/Runs/count", Host="elsewhere.example") == 403
    ports = {int(board.address.split(":")[2].split("/")[0]), int(board.url.split(":")[2][:-7])}
    assert {place for place, port in listening() if port in ports} == {"127.0.0.1"}


def listening() -> Iterator[tuple[str, int]]:
    """Address and port of every listening socket of this machine."""
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            place, state = line.split()[1], line.split()[3]
            host, port = place.split(":")
            if state == "0A":  # LISTEN
                raw = bytes.fromhex(host)[::-1]
                yield (str(ipaddress.ip_address(raw)) if len(raw) == 4 else host), int(port, 16)


def test_second_call_says_where_the_first_is(board: Board) -> None:
    command = [sys.executable, "-m", "experiments.omniboard", "--runs-dir", str(board.root)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert f"already open: {board.address} (process {board.process.pid})" in done.stdout


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_running(installed: None, tmp_path: Path, end: signal.Signals) -> None:
    status = 0 if end == signal.SIGTERM else -end
    with serving(tmp_path, "--port", "0", ends_with=status) as board:
        children = family(board.process.pid)
        assert len(children) == 2
        board.process.send_signal(end)
        board.process.wait(timeout=60)
    wait(lambda: not any(Path(f"/proc/{child}/exe").exists() for child in children))


def family(pid: int) -> list[int]:
    """The processes that ``pid`` started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True)
    return [int(word) for word in listed.stdout.split()]


def test_taken_port_is_left_to_whom_it_belongs(installed: None, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path, "--port", str(port)) as board:
            assert f":{port}/" not in board.address
            assert ask(board.address) == 200


def test_missing_node_is_said_with_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.omniboard", "--runs-dir", str(tmp_path)]
    environment = {**os.environ, "PATH": str(tmp_path), "HIPREG_MONGO_URL": ""}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "Omniboard needs Node.js 18 or later" in done.stderr
    assert "Traceback" not in done.stderr


def test_columns_that_somebody_chose_stay(url: str) -> None:
    with database(url) as db:
        db["omniboard.metric.columns"].insert_one({"name": "mine", "metric_name": "a"})
        for _ in range(2):
            preload(db)
        assert db["omniboard.metric.columns"].count_documents({}) == 1
        assert db["omniboard.custom.columns"].count_documents({}) == len(CONFIG)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mongodb://h:1", "mongodb://h:1/sacred"),
        ("mongodb://h:1/", "mongodb://h:1/sacred"),
        ("mongodb://h/lab?a=b", "mongodb://h/lab?a=b"),
        ("mongodb://h/?a=b", "mongodb://h/sacred?a=b"),
        ("mongodb://u:p%40@h,i/", "mongodb://u:p%40@h,i/sacred?authSource=admin"),
        ("mongodb://u:p@h/?authSource=x", "mongodb://u:p@h/sacred?authSource=x"),
        ("mongodb://u:p@h/lab", "mongodb://u:p@h/lab"),
    ],
)
def test_omniboard_logs_in_where_the_mirror_does(url: str, expected: str) -> None:
    assert app.with_database(url, "lab" if "lab" in url else "sacred") == expected


def test_password_is_in_no_process_list_and_no_file(
    installed: None, locked_server: LockedServer, tmp_path: Path
) -> None:
    record(body, tmp_path)
    with serving(tmp_path, "--port", "0", HIPREG_MONGO_URL=locked_server.url) as board:
        assert ask(f"{board.address}/api/v1/Runs?select=_id") == 200
        with database(locked_server.url) as db:
            wait(lambda: db["runs"].count_documents({"meta.mirror": {"$exists": True}}) == 1)
        processes = [board.process.pid, *family(board.process.pid)]
        assert len(processes) == 2
        for process in processes:
            shown = Path(f"/proc/{process}/cmdline").read_bytes()
            assert locked_server.password.encode() not in shown
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert locked_server.password.encode() not in path.read_bytes(), path
