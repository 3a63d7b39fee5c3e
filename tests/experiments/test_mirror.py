"""No fault of a server loses a record or holds up a run, and the mirror equals it afterwards."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sacred.run import Run

from experiments.sync import sync
from experiments.tracking import artifacts_folder, log_epoch
from tests.experiments.equality import assert_mirrored, load
from tests.experiments.servers import Proxy, Server, database
from tests.experiments.test_tracking import metrics, record

QUICKLY = "serverSelectionTimeoutMS=500"


def mirrored(body: Callable[[Run], Any], root: Path, url: str) -> Path:
    """The folder of a finished run of ``body`` that beat often and was mirrored to ``url``."""
    return record(body, root, **{"--mongo-url": url, "--beat-interval": 0.1})


def wait_until(condition: Callable[[], Any], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.05)


def degraded(root: Path) -> Any:
    return load(root / "1" / "run.json").get("degraded")


def epochs(folder: Path) -> list[int]:
    return [step for _, step, _ in metrics(folder)]


def assert_synced(root: Path, url: str) -> None:
    """One ``sync`` makes the mirror equal the record, and a second one finds nothing to do."""
    assert sync(root, url).failed == {}
    assert_mirrored(root, url)
    again = sync(root, url)
    assert again.pushed == []
    assert again.current == [1]
    assert degraded(root) is None


def test_run_is_mirrored_while_it_goes_and_equal_when_it_ends(tmp_path: Path, url: str) -> None:
    def body(run: Run) -> float:
        log_epoch(run, 0, {"val/dice": 0.5})
        with database(url) as db:
            wait_until(lambda: db["metrics"].find_one({"name": "val/dice"}))
            wait_until(lambda: db["runs"].find_one({"status": "RUNNING"}))
        log_epoch(run, 1, {"val/dice": 0.6, "val/hd95": 3})
        run.info["data"] = {"dataset": "synthetic"}
        print("well done")
        return 0.6

    mirrored(body, tmp_path, url)
    assert degraded(tmp_path) is None
    assert_mirrored(tmp_path, url)
    (state,) = load(tmp_path / "1" / "mirror.json").values()
    assert (state["id"], state["behind"]) == (1, None)


def test_failed_run_is_mirrored_with_its_traceback(tmp_path: Path, url: str) -> None:
    def body(run: Run) -> None:
        raise ValueError("no such case: 999")

    with pytest.raises(ValueError, match="999"):
        mirrored(body, tmp_path, url)
    assert_mirrored(tmp_path, url)
    with database(url) as db:
        run = db["runs"].find_one()
    assert run["status"] == "FAILED"
    assert "no such case: 999" in "".join(run["fail_trace"])


def test_server_that_dies_and_comes_back_is_caught_up_with(
    tmp_path: Path, own_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    own_server.start()
    url = f"{own_server.url()}?{QUICKLY}"

    def body(run: Run) -> None:
        log_epoch(run, 0, {"loss": 3})
        with database(url) as db:
            wait_until(lambda: db["metrics"].find_one())
        own_server.kill()
        log_epoch(run, 1, {"loss": 2})
        wait_until(lambda: degraded(tmp_path / "runs"))
        own_server.start()
        log_epoch(run, 2, {"loss": 1})
        wait_until(lambda: degraded(tmp_path / "runs") is None)

    folder = mirrored(body, tmp_path / "runs", url)
    assert epochs(folder) == [0, 1, 2]
    assert_mirrored(tmp_path / "runs", url)
    assert caplog.text.count("the run is recorded in its folder only") == 1
    assert_synced(tmp_path / "runs", url)


def test_absent_server_costs_the_mirror_alone(tmp_path: Path, own_server: Server) -> None:
    started = time.monotonic()
    folder = mirrored(
        lambda run: log_epoch(run, 0, {"loss": 3}),
        tmp_path / "runs",
        f"{own_server.url()}?{QUICKLY}",
    )
    assert time.monotonic() - started < 30
    assert load(folder / "run.json")["status"] == "COMPLETED"
    assert "is behind" in degraded(tmp_path / "runs")
    assert epochs(folder) == [0]
    own_server.start()
    assert_synced(tmp_path / "runs", own_server.url())


def test_slow_server_does_not_slow_the_run(tmp_path: Path, url: str, proxy: Proxy) -> None:
    proxy.delay = 5
    took: list[float] = []

    def body(run: Run) -> None:
        started = time.monotonic()
        for epoch in range(50):
            log_epoch(run, epoch, {"loss": 1 / (epoch + 1)})
        time.sleep(0.3)
        took.append(time.monotonic() - started)

    started = time.monotonic()
    folder = mirrored(body, tmp_path, proxied(url, proxy))
    assert took[0] < 20  # and not 5 s for each of 50 epochs
    assert time.monotonic() - started < took[0] + 20
    assert epochs(folder) == list(range(50))
    assert "too slow" in degraded(tmp_path)
    proxy.delay = 0
    assert_synced(tmp_path, proxied(url, proxy))


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        ("resets", 6),
        ("lost_answers", 6),
        pytest.param("resets", 30, marks=pytest.mark.slow),
        pytest.param("lost_answers", 30, marks=pytest.mark.slow),
    ],
)
def test_connection_that_breaks_again_and_again_is_taken_up(
    tmp_path: Path, url: str, proxy: Proxy, fault: str, times: int
) -> None:
    def body(run: Run) -> None:
        log_epoch(run, 0, {"loss": 1})
        with database(url) as db:
            wait_until(lambda: db["metrics"].find_one())
        setattr(proxy, fault, times)
        for epoch in range(1, 100):
            log_epoch(run, epoch, {"loss": 1 / epoch})
        wait_until(lambda: not getattr(proxy, fault), seconds=200)

    folder = mirrored(body, tmp_path, proxied(url, proxy))
    assert epochs(folder) == list(range(100))
    assert proxy.broken == times
    assert_synced(tmp_path, proxied(url, proxy))


def test_missing_and_vanished_artifacts_cost_only_themselves(tmp_path: Path, url: str) -> None:
    def body(run: Run) -> None:
        folder = artifacts_folder(run)
        assert folder is not None
        (folder / "kept.csv").write_text("1")
        (folder / "vanished.csv").write_text("2")
        run.add_artifact(folder / "missing.csv")
        run.add_artifact(folder / "kept.csv")
        log_epoch(run, 0, {"loss": 1})

    folder = mirrored(body, tmp_path, url)
    assert_mirrored(tmp_path, url)
    (folder / "artifacts" / "kept.csv").unlink()
    sync(tmp_path, url)
    with database(url) as db:
        (entry,) = db["runs"].find_one()["artifacts"]
        assert entry["name"] == "kept.csv.missing.json"
        assert db["fs.files"].count_documents({"_id": entry["file_id"]}) == 1
        owned = {"metadata.run_uuid": {"$exists": True}}
        assert db["fs.files"].count_documents(owned) == 1  # the older version is gone


def test_large_artifact_stays_on_disk_with_its_checksum(tmp_path: Path, url: str) -> None:
    def body(run: Run) -> None:
        folder = artifacts_folder(run)
        assert folder is not None
        (folder / "best.pt").write_bytes(os.urandom(9 * 2**20))
        (folder / "small.pt").write_bytes(os.urandom(7 * 2**20))
        run.add_artifact(folder / "best.pt")
        run.add_artifact(folder / "small.pt")

    mirrored(body, tmp_path, url)
    assert_synced(tmp_path, url)


def test_any_number_is_mirrored_as_a_float_and_flagged_where_not_finite(
    tmp_path: Path, url: str
) -> None:
    values = [0.5, np.float32(0.25), torch.tensor(2), torch.tensor([0.1]), np.int64(3), True]
    values += [math.nan, math.inf, -math.inf, torch.tensor(math.nan)]

    def body(run: Run) -> None:
        for step, value in enumerate(values):
            log_epoch(run, step, {"odd": value, "val/dice": 0.5})
            run.log_scalar("direct", value, step)

    mirrored(body, tmp_path, url)
    assert_synced(tmp_path, url)
    with database(url) as db:
        assert db["runs"].find_one()["meta"]["record"]["nonfinite"] == {"odd": 4, "direct": 4}
        assert len(db["metrics"].find_one({"name": "direct"})["values"]) == len(values)


def test_50_mb_of_output_leave_a_small_document(tmp_path: Path, url: str) -> None:
    def body(run: Run) -> None:
        for _ in range(500):
            os.write(1, b"0123456789" * 9999 + b"in rows\n\r\n")

    mirrored(body, tmp_path, url)
    assert_synced(tmp_path, url)
    with database(url) as db:
        text = db["runs"].find_one()["captured_out"]
    assert len(text) <= 1_000_000
    assert "characters left out" in text


def test_17_mb_of_info_are_kept_beside_a_small_document(tmp_path: Path, url: str) -> None:
    def body(run: Run) -> None:
        run.info["table"] = ["x" * 1000] * 17_000
        run.info["small.key"] = 1
        log_epoch(run, 0, {"loss": 1})

    mirrored(body, tmp_path, url)
    assert_synced(tmp_path, url)
    with database(url) as db:
        run = db["runs"].find_one()
    assert run["status"] == "COMPLETED"
    assert "too large" in run["info"]["note"]
    assert run["info"]["metrics"]
    assert len(json.dumps(run, default=str)) < 1_000_000


def test_no_run_of_others_is_touched_where_an_id_is_taken(tmp_path: Path, url: str) -> None:
    theirs = [{"_id": 1, "status": "COMPLETED"}, {"_id": 4, "name": "x"}, {"_id": "word"}]
    with database(url) as db:
        db["runs"].insert_many(theirs)
    mirrored(lambda run: log_epoch(run, 0, {"loss": 1}), tmp_path, url)
    mirrored(lambda run: log_epoch(run, 0, {"loss": 2}), tmp_path, url)
    assert_mirrored(tmp_path, url)
    report = sync(tmp_path, url, thorough=True)
    assert report.ids == {1: 5, 2: 2}
    assert "run 1 has the id 5 there" in str(report)
    (state,) = load(tmp_path / "1" / "mirror.json").values()
    assert state["id"] == 5
    with database(url) as db:
        assert [db["runs"].find_one({"_id": other["_id"]}) for other in theirs] == theirs
        assert db["runs"].count_documents({}) == 5


def proxied(url: str, proxy: Proxy) -> str:
    # Else the client asks the server where it is, and goes there by itself.
    name = url.rpartition("/")[2]
    return f"mongodb://127.0.0.1:{proxy.port}/{name}?directConnection=true"


@pytest.fixture(autouse=True)
def _warnings_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
