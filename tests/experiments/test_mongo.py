"""The training command beside a real MongoDB-compatible server."""

from __future__ import annotations

from pathlib import Path
from secrets import token_hex

from tests.experiments.equality import assert_mirrored, load
from tests.experiments.servers import database, free_port
from tests.experiments.test_train import SMALL, command


def test_database_mirrors_a_training(url: str, tmp_path: Path) -> None:
    done = command(*SMALL, runs=tmp_path, environment={"HIPREG_MONGO_URL": url})
    assert done.returncode == 0, done.stdout + done.stderr
    assert load(tmp_path / "1" / "run.json")["degraded"] is None
    assert_mirrored(tmp_path, url)
    with database(url) as db:
        run = db["runs"].find_one()
    assert run["status"] == "COMPLETED"
    assert run["info"]["data"]["dataset"] == "synthetic_small"
    assert {entry["name"] for entry in run["artifacts"]} >= {"best.pt", "pairs_val.csv"}
    assert "experiments/train.py" in dict(run["experiment"]["sources"])


def test_absent_server_costs_the_mirror_and_not_the_training(tmp_path: Path) -> None:
    place = f"127.0.0.1:{free_port()}/records?serverSelectionTimeoutMS=500"
    password = token_hex(8)  # a fixed one would be in the sources that a run keeps
    url = f"mongodb://someone:{password}@{place}"
    done = command(*SMALL, "epochs=1", runs=tmp_path, environment={"HIPREG_MONGO_URL": url})
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "the run is recorded in its folder only" in output
    assert password not in output
    assert "is behind" in load(tmp_path / "1" / "run.json")["degraded"]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert password.encode() not in path.read_bytes(), path
