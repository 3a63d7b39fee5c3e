"""A listing tells the truth about every run, in any folder, quickly."""

from __future__ import annotations

import json
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from experiments.process import this_process
from experiments.runs.gather import gather, summarise
from tests.experiments.runs.made import Command, make_run, rising

GONE = {"pid": 2**22 + 1, "started": "0 ticks after boot"}


def ids(shown_rows: list[list[str]]) -> list[str]:
    return [row[0] for row in shown_rows[1:]]


def minutes_ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def test_table_in_a_pipe_is_whole_aligned_and_plain(runs: Command) -> None:
    long_name = "published " + "and_more " * 30 + "end"
    make_run(runs.root, metrics=rising(10), result=0.8)
    make_run(runs.root, config={"name": long_name}, metrics=rising(3))
    shown = runs("list")
    assert shown.status == 0
    assert "\x1b" not in shown.out + shown.err
    lines = shown.out.splitlines()
    assert len(lines) == 3
    assert long_name in lines[2]
    assert "10/10" in lines[1]
    assert lines[1].index("COMPLETED") == lines[2].index("COMPLETED") == lines[0].index("status")
    assert "2 runs" in shown.err


def test_last_value_is_found_wherever_it_was_logged(runs: Command) -> None:
    metrics: list[dict[str, float | str]] = [{"train/loss": 1.0} for _ in range(30)]
    metrics[19] = {"train/loss": 1.0, "val/dice": 0.625}
    make_run(runs.root, metrics=metrics, config={"epochs": 30, "eval_every": 20})
    assert runs("list", "--columns", "id,epoch,val/dice").rows()[1] == ["1", "30/30", "0.6250"]


def test_process_that_is_there_runs_and_one_that_is_gone_is_dead(runs: Command) -> None:
    here = this_process()
    ten: dict[str, Any] = {"config": {"epochs": 10}, "status": "RUNNING"}
    make_run(runs.root, metrics=rising(4), start=minutes_ago(4), process=here, **ten)
    make_run(runs.root, metrics=rising(4), start=minutes_ago(4), process=here | GONE, **ten)
    shown = runs("list", "--columns", "id,status,epoch,eta,val/dice")
    assert shown.rows()[1][:3] == ["1", "RUNNING", "4/10"]
    assert shown.rows()[2][:4] == ["2", "DEAD", "4/10", "-"]
    assert "resume 2" in shown.err
    assert "reap" in shown.err


def test_eta_is_the_pace_so_far_and_never_beyond_max_minutes(runs: Command) -> None:
    live: dict[str, Any] = {"status": "RUNNING", "process": this_process(), "metrics": rising(4)}
    make_run(runs.root, start=minutes_ago(4), config={"epochs": 100}, **live)
    make_run(runs.root, start=minutes_ago(4), config={"epochs": 100, "max_minutes": 10}, **live)
    free, limited = (run["eta"] for run in runs("list", "--json").json)
    assert free == pytest.approx(96 * 60, abs=5)
    assert limited == pytest.approx(6 * 60, abs=5)


def test_eta_leaves_out_how_long_the_start_took(runs: Command) -> None:
    live: dict[str, Any] = {"status": "RUNNING", "process": this_process()}
    make_run(runs.root, start=minutes_ago(4), metrics=rising(4), **live)
    document = runs.root / "1" / "run.json"
    began = minutes_ago(64).isoformat()
    document.write_text(json.dumps({**json.loads(document.read_text()), "start_time": began}))
    (run,) = runs("list", "--json").json
    assert run["eta"] == pytest.approx(6 * 60, abs=5)


def test_run_that_others_continue_is_listed_on_demand_alone(runs: Command) -> None:
    make_run(runs.root, metrics=rising(6), status="INTERRUPTED")
    make_run(runs.root, metrics=rising(2), first_step=5, parent=1, lineage=[1, 2])
    make_run(runs.root, metrics=rising(10))
    shown = runs("list")
    assert ids(shown.rows()) == ["2", "3"]
    assert "1>2" in shown.out
    assert "1 run that others continue: --all" in shown.err
    assert ids(runs("list", "--all").rows()) == ["1", "2", "3"]


def test_run_that_was_just_resumed_shows_what_it_continues(runs: Command) -> None:
    make_run(runs.root, metrics=rising(8), status="INTERRUPTED", config={"epochs": 8})
    twelve = {"epochs": 12}
    make_run(runs.root, parent=1, lineage=[1, 2], resumed_at_epoch=8, config=twelve)
    make_run(runs.root, parent=1, lineage=[1, 3], resumed_at_epoch=4, config=twelve)
    (after_all, after_four) = runs("list", "--columns", "id,epoch,val/dice").rows()[1:]
    assert after_all == ["2", "8/12", "0.8000"]
    assert after_four == ["3", "4/12", "-"]  # what was logged later is void


@pytest.mark.parametrize("name", ["run.json", "config.json"])
@pytest.mark.parametrize("content", [None, "", "{", "[1, 2]", "\udcff\x00"])
def test_damaged_folder_is_told_of_and_costs_only_itself(
    runs: Command, name: str, content: str | None
) -> None:
    make_run(runs.root, metrics=rising(10))
    path = make_run(runs.root) / name
    path.unlink()
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
    shown = runs("list")
    assert shown.status == 0
    assert ids(shown.rows()) == ["1", "2"]
    assert str(path.parent) in shown.err
    assert name in shown.err
    assert runs("list", "--json").json[1]["damage"]


def test_metrics_of_any_bytes_cost_only_the_bad_lines(runs: Command) -> None:
    folder = make_run(runs.root, metrics=rising(10))
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(
            b'{"step": 11, "values": {"val/dice": 0.5}, "time": 7}\n\xff\x00\n[]\n{"step": 12'
        )
    assert runs("list", "--columns", "epoch,val/dice").rows()[1] == ["11/10", "0.5000"]


def test_numbers_that_json_lacks_are_words(runs: Command) -> None:
    make_run(runs.root, metrics=[{"val/dice": "NaN", "a": "Infinity", "b": "-Infinity"}])
    (run,) = runs("list", "--json").json
    values = {name: point["value"] for name, point in run["metrics"].items()}
    assert values == {"val/dice": "NaN", "a": "Infinity", "b": "-Infinity"}
    assert runs("list", "--columns", "val/dice,a,b").rows()[1] == ["nan", "inf", "-inf"]


def test_control_characters_of_a_name_do_not_reach_the_terminal(runs: Command) -> None:
    make_run(runs.root, config={"name": "a\x1b[31m\rb\nc [bold]d"})
    shown = runs("list", "--columns", "name")
    assert shown.out.splitlines()[1] == "a?[31m b c [bold]d"


def test_folder_that_vanishes_while_listed_is_left_out(tmp_path: Path) -> None:
    make_run(tmp_path, metrics=rising(3))
    assert summarise(tmp_path / "7") is None
    done = threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            shutil.rmtree(make_run(tmp_path, metrics=rising(2)))

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(100):
            found = gather(tmp_path)
            assert found[0].id == 1
            assert found[0].epoch == 3
            for run in found:
                assert run.status in ("COMPLETED", "DAMAGED")
                assert run.error == run.damage
                run.artifacts()
    finally:
        done.set()
        thread.join()


def test_sorting_puts_runs_without_a_value_last_either_way(runs: Command) -> None:
    for top in (0.5, 0.9, 0.7):
        make_run(runs.root, metrics=rising(10, top))
    make_run(runs.root)
    make_run(runs.root, metrics=[{"val/dice": "NaN"}])
    up = runs("list", "--sort", "val/dice")
    down = runs("list", "--sort", "val/dice", "--reverse")
    assert ids(up.rows()) == ["1", "3", "2", "4", "5"]
    assert ids(down.rows()) == ["2", "3", "1", "4", "5"]
    assert ids(runs("list", "--sort", "val/dice", "--reverse", "--first", "1").rows()) == ["2"]
    assert ids(runs("list", "--last", "2").rows()) == ["4", "5"]


def test_columns_choose_and_say_what_a_key_means(runs: Command) -> None:
    metrics = [{"learning_rate": 0.5}]
    make_run(runs.root, config={"learning_rate": 0.25, "nested": {"a": [1, 2]}}, metrics=metrics)
    keys = "id,learning_rate,config:learning_rate,metric:learning_rate,nested.a"
    shown = runs("list", "--columns", keys, "--json").json
    assert list(shown[0].values()) == [1, 0.25, 0.25, 0.5, [1, 2]]


def test_listing_of_committed_records_works(runs: Command) -> None:
    runs.root = Path(__file__).resolve().parents[3] / "results" / "records"
    shown = runs("list", "--json").json
    (kept,) = (run for run in shown if run["id"] == 2)
    assert (kept["name"], kept["status"], kept["epoch"]) == ("quick", "COMPLETED", 26)
    assert kept["metrics"]["val/dice"]["value"] == pytest.approx(0.7691, abs=1e-4)
    assert kept["duration"] == pytest.approx(535.9, abs=0.1)
