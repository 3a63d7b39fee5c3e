"""The command that searches, with train.py itself and synthetic pairs."""

from __future__ import annotations

import logging
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from experiments.errors import PlainError
from experiments.records import COMPLETED, read_records
from studies import schema
from studies.overhead import report
from studies.progress import summary
from studies.report import main as report_main
from studies.search import main
from studies.storage import load_study, open_storage
from studies.worker import main as worker_main

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    *("with", "debug", "synthetic", "crop_size=32", "pool_blocks=2"),
    *("channel_multiplication=0.5", "threads=1", "max_cases=4"),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for studies and runs; no database."""
    monkeypatch.delenv("HIPREG_STUDY_STORAGE", raising=False)
    monkeypatch.setenv("HIPREG_STUDIES", str(tmp_path))
    monkeypatch.setenv("HIPREG_RUNS", str(tmp_path / "runs"))
    return tmp_path


def study_in(home: Path, name: str) -> optuna.Study:
    return load_study(open_storage(str(home / f"{name}.journal")), name)


def prepare(*arguments: str, training: Sequence[str] = TINY) -> None:
    assert main([*arguments, "--prepare", *training]) == 0


@pytest.mark.slow
def test_published_weights_are_trained_as_a_run_of_the_study(home: Path) -> None:
    arguments = ["loss_weights", "--study", "w", "--warm-start", "published", "--trials", "1"]
    assert main([*arguments, "--budget-epochs", "1", *TINY]) == 0
    (run,) = read_records(home / "runs").runs
    (trial,) = study_in(home, "w").trials
    assert trial.state == TrialState.COMPLETE
    assert trial.user_attrs[schema.WARM] == "published"
    assert (run.status, run.config["study"], run.config["trial"]) == (COMPLETED, "w", 0)
    assert run.config["weight_lcc"] == pytest.approx(1)
    assert run.config["weight_l1"] == pytest.approx(0.1)
    assert run.config["max_minutes"] is None
    for name in (schema.SECONDS_PER_PAIR, schema.MEMORY_MB, schema.TRAINING_SECONDS_PER_PAIR):
        assert trial.user_attrs[name] > 0
    assert trial.value == pytest.approx(run.document["result"])
    assert "Study w: 1 finished" in summary(study_in(home, "w"), str(home / "w.journal"))
    assert "machinery" in report([trial], home / "runs")


def test_study_is_extended_by_its_name_alone(home: Path) -> None:
    prepare("lcc_window", "--trials", "2")
    prepare("--study", "lcc_window", "--trials", "5", training=())
    assert len(study_in(home, "lcc_window").trials) == 5


def test_a_grid_has_as_many_trials_as_there_are_settings(home: Path) -> None:
    prepare("channels", "--sampler", "grid", training=("with", "debug", "synthetic"))
    assert len(study_in(home, "channels").trials) == 8


def test_study_refuses_another_training_and_names_it(home: Path) -> None:
    prepare("lcc_window", "--trials", "1")
    with pytest.raises(PlainError, match=r"--budget-epochs\) was 2, is 3"):
        prepare("lcc_window", "--budget-epochs", "3")
    with pytest.raises(PlainError, match="need its SPACE"):
        main(["--study", "lcc_window", "--max-folding", "0"])


def test_printed_commands_work_where_they_are_pasted(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = home / "other place" / "w.journal"
    place = ("--storage", str(path), "--runs-dir", str(home / "other runs"))
    prepare("lcc_window", "--study", "w", "--trials", "1", *place)
    worker = caplog.messages[-1].partition("a worker: ")[2]
    study = load_study(open_storage(str(path)), "w")
    study.tell(study.ask(), 0.5)
    report = summary(study, str(path)).rpartition("Report: ")[2]
    for command, entrance in ((worker, worker_main), (report, report_main)):
        assert "--storage" in command
        program, script, *arguments = shlex.split(command)
        assert program == "python"
        assert (ROOT / script).is_file()
        assert entrance(arguments) == 0
    page = (home / "w" / "report.html").read_text()
    assert "python studies/report.py w --storage" in page


@pytest.mark.slow
def test_best_of_another_study_is_taken_over_once(home: Path) -> None:
    prepare("lcc_window", "--study", "first", "--trials", "3")
    first = study_in(home, "first")
    for dice in (0.5, 0.7, 0.6):
        trial = first.ask()
        trial.suggest_int("lcc_window", 3, 15, step=2)
        for name, value in ((schema.DICE, dice), ("folding", 0.0), ("sdlogj", 0.05)):
            trial.set_user_attr(name, value)
        first.tell(trial, dice)
    storage = ("--storage", str(home / "first.journal"))
    for _ in range(2):
        prepare("lcc_window", "--study", "second", "--warm-start", "first", *storage)
    second = load_study(open_storage(storage[1]), "second").trials
    assert [trial.user_attrs.get(schema.WARM) for trial in second[:4]] == [
        *("first/1", "first/2", "first/0"),
        None,
    ]
    assert len(second) == 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["windows"], "no search space 'windows'; there are"),
        ([], "name a search space"),
        (["lcc_window", "--workers", "0"], "--workers must be at least 1"),
        (["lcc_window", "--study", "none", "--resume"], "no study 'none'"),
        (["lcc_window", "--storage", "sqlite:///a.db", "--workers", "2"], "SQLite takes one"),
        (["lcc_window", "with", "lcc_window=5"], "searches lcc_window: leave it out"),
        (["lcc_window", "with", "epochs=5"], "use --budget-epochs"),
        (["lcc_window", "with", "quik"], "no named configuration quik; there are: .*quick"),
        (["lcc_window", "with", "lc_window=5"], "train.py has no entry lc_window"),
        (["lcc_window", "--budget-epochs", "0", *TINY], "must be at least 1, got 0"),
        (["loss_weights", "--sampler", "grid", *TINY], "endlessly many settings"),
        (["lcc_window", "--sampler", "grid", "--trials", "8", *TINY], "has 7 settings"),
        (
            ["channels", "--warm-start", "published", "with", "debug", "synthetic"],
            "lies outside of 0.5 to 4",
        ),
    ],
)
def test_what_does_not_go_together_is_said_in_one_message(
    arguments: list[str], words: str, home: Path
) -> None:
    with pytest.raises(PlainError, match=words):
        main(arguments)
    assert not (home / "runs").exists()


def test_worker_starts_without_torch() -> None:
    code = "import sys, studies.worker; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
