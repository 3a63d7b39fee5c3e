"""A grid of trainings is completed, whatever ends it, and nothing of it is trained twice."""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from experiments.errors import PlainError
from experiments.plain import plain
from experiments.records import read_records
from results import ablation as table
from studies.ablation import main, table_command
from studies.cell_work import Grid, train_command
from studies.cells import Cell, make_cells
from studies.code import training_code
from studies.standing import RESUME, TAKE, TRAIN, Present, Standing
from studies.training import Training
from studies.workers import Share
from tests.studies.bowl import PROGRAM
from tests.studies.quick_training import experiment

ROOT = Path(__file__).resolve().parents[2]
TINY = ("debug", "synthetic", "crop_size=32", "pool_blocks=2", "epochs=1", "threads=1")
SHARE = Share((0,), None)
ENTRIES: dict[str, Any] = plain(dict(experiment.configurations[0]()))


def cell(seed: int = 0, **entries: Any) -> Cell:
    """A cell of the training that takes milliseconds."""
    config = {**ENTRIES, **entries, "seed": seed}
    words = tuple(f"{key}={value}" for key, value in {**entries, "seed": seed}.items())
    return Cell(" ".join(words[:-1]) or "baseline", seed, words, config, frozenset(), None)


@pytest.fixture(scope="module")
def now() -> Present:
    return Present(training_code(), {(None, None): "bowl 1"})


def grid(runs: Path, now: Present, *cells: Cell) -> Grid:
    return Grid(cells, runs, now, PROGRAM)


def test_grid_is_trained_once_and_then_taken_from_the_records(
    tmp_path: Path, now: Present
) -> None:
    cells = [cell(0), cell(1), cell(0, x=1.0), cell(0, fails=True)]
    first = grid(tmp_path, now, *cells)
    first.work([SHARE, SHARE])
    assert {record.config["seed"] for record in first.done.values()} == {0, 1}
    assert len(first.done) == 3, first.failed
    assert "told to fail" in first.failed[cells[3].key]
    again = grid(tmp_path, now, *cells[:3])
    assert [found.do for _, found in again.standings()] == [TAKE] * 3
    again.work([SHARE])
    assert {key: run.id for key, run in again.done.items()} == {
        key: run.id for key, run in first.done.items()
    }
    assert len(read_records(tmp_path).runs) == 4


def test_stopped_cell_goes_on_from_its_checkpoint(tmp_path: Path, now: Present) -> None:
    slow = cell(0, epochs=3, pause=2.0)  # time enough to be stopped on a busy machine
    with Training([*PROGRAM, "with", *slow.arguments], tmp_path) as training:
        while not list(tmp_path.glob("1/artifacts/last.pt")):
            assert training.running(), training.last_words()
            time.sleep(0.02)
    work = grid(tmp_path, now, slow)
    assert [found.do for _, found in work.standings()] == [RESUME]
    work.work([SHARE])
    (record,) = work.done.values()
    assert (record.id, record.parent, record.status) == (2, 1, "COMPLETED")
    assert [step for step, _ in record.stitched()["selection/dice"]] == [1, 2, 3]


def test_two_calls_at_once_divide_the_grid(tmp_path: Path, now: Present) -> None:
    cells = [cell(seed, pause=0.1) for seed in range(3)]
    calls = [grid(tmp_path, now, *cells) for _ in range(2)]
    threads = [threading.Thread(target=one.work, args=([SHARE],)) for one in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    assert len(read_records(tmp_path).runs) == 3
    assert all(len(one.done) == 3 and not one.failed for one in calls)


def test_command_gives_a_cell_its_share_unless_it_says_itself(tmp_path: Path) -> None:
    new, two = Standing(TRAIN, None, ""), Share((0, 1), "1")
    words = train_command(["train"], cell(0, x=1.0), new, two)
    assert words == ["train", "with", "x=1.0", "seed=0", "threads=2", "device='cuda:1'"]
    said = Cell("", 0, ("threads=1",), {}, frozenset({"threads", "device"}), None)
    assert train_command(["train"], said, new, two) == ["train", "with", "threads=1"]


@pytest.mark.parametrize(
    ("configs", "message"),
    [
        (["sim"], "configuration 'sim': no named configuration sim; there are: .*sym"),
        (["sym weight=3"], "train.py has no entry weight"),
        (["sym", "sym sym"], "'sym' and 'sym sym' are one configuration"),
        (["debug", "debug pretrain"], "configuration 'debug pretrain': no pretrained weights"),
        (["sym init_from=none.pt"], "init_from=none.pt is no file"),
    ],
)
def test_what_cannot_be_trained_is_said_before_anything_runs(
    tmp_path: Path, configs: list[str], message: str
) -> None:
    with pytest.raises(PlainError, match=message):
        make_cells(configs, [0], ["synthetic"], tmp_path)


def test_dry_run_shows_the_grid_and_trains_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HIPREG_RUNS", str(tmp_path / "runs"))
    words = ["--configs", "baseline", "sym", "--seeds", "0", "1", "--dry-run", "with", *TINY]
    assert main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        [row, seed, "train"] for row in ("baseline", "sym") for seed in "01"
    ]
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_real_grid_ends_with_the_command_of_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIPREG_RUNS", str(tmp_path))
    words = [sys.executable, str(ROOT / "studies" / "ablation.py"), "--configs", "debug"]
    words += ["debug sym", "--seeds", "0", "with", *TINY[1:]]
    for _ in range(2):
        done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(read_records(tmp_path).runs) == 2
    told = shlex.split(done.stdout.splitlines()[-1])
    assert told[:2] == ["python", "results/ablation.py"]
    assert table.main([*told[2:], "--out", str(tmp_path / "tables")]) == 0


def test_table_command_names_exactly_the_runs_of_the_grid(tmp_path: Path, now: Present) -> None:
    one = cell(0)
    made = grid(tmp_path, now, one)
    made.work([SHARE])
    assert table_command(made, tmp_path) == (
        f"python results/ablation.py --rows bowl --ids 1 --runs {tmp_path}"
    )
