"""Omniboard over real records, in a real browser, and what it leaves behind: nothing."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.omniboard import app
from experiments.omniboard.columns import CONFIG, preload
from tests.experiments.boards import Board, body, serving, wait
from tests.experiments.servers import LockedServer, database
from tests.experiments.test_tracking import ROOT, record


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


def test_login_is_asked_for_where_one_is_set(installed: None, tmp_path: Path) -> None:
    login = "lab:hidden-word"
    with serving(tmp_path, "--port", "0", OMNIBOARD_LOGIN=login) as board:
        for place in ("", "/api/v1/Runs/count"):
            given = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
            assert ask(board.address + place) == 401
            assert ask(board.address + place, **given) == 200
        for process in family(board.process.pid):
            assert b"hidden-word" not in Path(f"/proc/{process}/cmdline").read_bytes()


def test_password_is_in_no_process_list_and_no_file(
    installed: None, locked_server: LockedServer, tmp_path: Path
) -> None:
    record(body, tmp_path)
    url = locked_server.url("seen")
    with serving(tmp_path, "--port", "0", HIPREG_MONGO_URL=url) as board:
        assert ask(f"{board.address}/api/v1/Runs?select=_id") == 200
        with database(url) as db:
            wait(lambda: db["runs"].count_documents({"meta.mirror": {"$exists": True}}) == 1)
        processes = [board.process.pid, *family(board.process.pid)]
        assert len(processes) == 2
        for process in processes:
            shown = Path(f"/proc/{process}/cmdline").read_bytes()
            assert locked_server.password.encode() not in shown
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert locked_server.password.encode() not in path.read_bytes(), path
