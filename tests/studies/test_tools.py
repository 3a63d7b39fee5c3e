"""Optuna's own command and dashboard work on our storages as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import optuna
import pytest
from optuna.storages import BaseStorage, RDBStorage

from studies import schema
from studies.plan import name_objectives
from studies.storage import load_study, open_storage
from tests.browser import chromium
from tests.experiments.servers import free_port
from tests.helpers import skip_or_fail
from tests.studies.made import trial, whole

PICTURES = os.environ.get("HIPREG_TEST_PICTURES")
"""A folder for screenshots, to look at."""
NAME = "weights"


def program(name: str) -> str:
    """A command of the environment that the tests run in."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        skip_or_fail(f"{name} is not installed (pip install '.[experiments,dev]')")
    return str(path)


@contextmanager
def opened(url: str) -> Iterator[BaseStorage]:
    """A storage whose connections, if it has any, are closed afterwards."""
    storage = open_storage(url)
    try:
        yield storage
    finally:
        backend = getattr(storage, "_backend", storage)  # behind Optuna's cache
        if isinstance(backend, RDBStorage):
            backend.remove_session()
            backend.engine.dispose()


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("studies")
    whole(folder)
    return str(folder / f"{NAME}.journal")


@pytest.fixture(scope="module")
def database(postgresql: str) -> str:
    """A study in PostgreSQL, by the URL that Optuna's own programs take."""
    with opened(postgresql) as stored:
        study = optuna.create_study(storage=stored, study_name=NAME, direction="maximize")
        name_objectives(study, [schema.DICE])
        study.add_trials([trial(number) for number in range(3)])
    return postgresql.replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture(params=["journal", "database"])
def storage(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def ask(storage: str, command: str) -> Any:
    """What ``optuna COMMAND`` says; the storage comes by a variable, since it holds a password."""
    done = subprocess.run(
        [program("optuna"), command, "--study-name", NAME, "--format", "json"],
        env={**os.environ, "OPTUNA_STORAGE": storage},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_optuna_lists_trials_and_the_best_one(storage: str) -> None:
    with opened(storage) as stored:
        study = load_study(stored, NAME)
        numbers, first = [one.number for one in study.trials], study.best_trial.number
    assert [row["number"] for row in ask(storage, "trials")] == numbers
    best = ask(storage, "best-trial")
    assert best["number"] == first
    assert best["user_attrs"]["run"] == str(100 + first)


@pytest.fixture
def dashboard(storage: str) -> Iterator[str]:
    """The address of a dashboard on loopback."""
    port = free_port()
    process = subprocess.Popen(
        [program("optuna-dashboard"), storage, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while not answers(f"{address}/api/studies"):
            assert process.poll() is None, "the dashboard ended by itself"
            assert time.monotonic() < deadline, "the dashboard does not answer"
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)


def answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_dashboard_shows_the_study(dashboard: str) -> None:
    with urlopen(f"{dashboard}/api/studies", timeout=60) as answer:
        studies = json.load(answer)["study_summaries"]
    (study,) = [each for each in studies if each["study_name"] == NAME]
    with chromium(1280) as page:
        page.get(f"{dashboard}/dashboard/studies/{study['study_id']}")
        deadline = time.monotonic() + 120
        shown = ""
        while NAME not in shown or "selection/dice" not in shown:
            assert time.monotonic() < deadline, shown
            time.sleep(0.2)
            shown = page.find_element("tag name", "body").text
        assert "Objective 0" not in shown
        while PICTURES and not page.find_elements("css selector", ".js-plotly-plot .main-svg"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        if PICTURES:
            time.sleep(2)
            page.save_screenshot(str(Path(PICTURES) / "dashboard.png"))
