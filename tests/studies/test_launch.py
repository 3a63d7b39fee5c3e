"""Workers on a cluster: what the script says, and that submitit starts them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.errors import PlainError
from studies import launch
from studies.launch import Job, main, slurm_script, submit_with_submitit
from studies.storage import open_storage
from studies.trials import fill
from tests.studies.bowl import PASSWORD, begin_bowl, bowl_plan

URL = f"postgresql://me:{PASSWORD}@db.example.org/studies"


def run_script(script: Path, folder: Path, worker_ends_with: int) -> tuple[int, str]:
    """Run the script with stand-ins for Slurm's commands; its status and what they were told."""
    told = folder / "told"
    for name, status in (("srun", worker_ends_with), ("scontrol", 0)):
        program = folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {told}\nexit {status}\n')
        program.chmod(0o755)
    slurm = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "HIPREG_STUDY_STORAGE": URL, **slurm}
    done = subprocess.run(["bash", str(script)], env=environment, check=False, timeout=60)
    return done.returncode, told.read_text()


def test_array_survives_preemption_and_holds_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIPREG_STUDY_STORAGE", URL)
    script = tmp_path / "bowl.sbatch"
    options = ["--workers", "3", "--gpus", "1", "--sbatch", "partition=gpu", "--to", str(script)]
    assert main(["slurm", "bowl", *options]) == 0
    lines = script.read_text().splitlines()
    wanted = ("array=0-2", "requeue", "signal=USR1@90", "gres=gpu:1", "partition=gpu")
    assert {f"#SBATCH --{one}" for one in wanted} <= set(lines)
    assert PASSWORD not in script.read_text()


@pytest.mark.parametrize(("status", "queued_again"), [(0, False), (1, False), (138, True)])
def test_worker_that_reached_its_time_is_queued_again(
    status: int, queued_again: bool, tmp_path: Path
) -> None:
    script = tmp_path / "bowl.sbatch"
    script.write_text(slurm_script(Job("bowl", 3, 60, 2, 0, 4)))
    code, told = run_script(script, tmp_path, status)
    assert code == status
    assert "worker.py bowl --index 2" in told
    assert ("scontrol requeue 7_2" in told) == queued_again


def test_script_without_a_storage_says_what_is_missing(tmp_path: Path) -> None:
    script = tmp_path / "bowl.sbatch"
    script.write_text(slurm_script(Job("bowl", 3, 60, 2, 0, 4)))
    done = subprocess.run(
        ["bash", str(script)],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "set it to the URL" in done.stderr


def test_journal_file_is_refused_for_several_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIPREG_STUDY_STORAGE", raising=False)
    with pytest.raises(PlainError, match="need a database"):
        main(["slurm", "bowl"])


def test_submitting_without_slurm_names_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIPREG_STUDY_STORAGE", URL)
    monkeypatch.setenv("PATH", str(tmp_path))
    script = str(tmp_path / "bowl.sbatch")
    with pytest.raises(PlainError, match=r"no sbatch here: submit .*bowl.sbatch"):
        main(["slurm", "bowl", "--to", script, "--submit"])


def test_submitit_runs_workers_until_the_queue_is_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    url = str(tmp_path / "bowl.journal")
    study = begin_bowl(open_storage(url), bowl_plan(epochs=1))
    fill(study, 1)
    monkeypatch.setenv("HIPREG_STUDY_STORAGE", url)
    monkeypatch.setenv("HIPREG_STUDIES", str(tmp_path))
    monkeypatch.setenv("HIPREG_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(launch, "WORKER", (sys.executable, "-m", "tests.studies.bowl"))
    jobs = submit_with_submitit(Job("bowl", 1, 5, 1, 0, 1), "local")
    assert [job.result() for job in jobs] == [0]
    assert [trial.state.name for trial in study.get_trials()] == ["COMPLETE"]
