"""The snapshot says what code a run was made by."""

from __future__ import annotations

import subprocess
from pathlib import Path

import packaging
import pytest
import torch

from experiments import snapshot
from experiments.snapshot import code_version, dependencies, machine


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "loss.py").write_text("weight = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=no")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_clean_tree_has_a_commit_and_no_diff(repository: Path) -> None:
    code = code_version(repository)
    assert code.commit == git(repository, "rev-parse", "HEAD").strip()
    assert not code.dirty
    assert code.diff == ""


def test_changed_tree_is_dirty_and_its_diff_applies_to_the_commit(repository: Path) -> None:
    (repository / "loss.py").write_text("weight = 2\n")
    (repository / "new.py").touch()
    (repository / "experiments").mkdir()
    code = code_version(repository / "experiments")
    assert code.dirty
    assert code.untracked == ("new.py",)
    git(repository, "checkout", "-q", ".")
    (repository / "change.diff").write_text(code.diff)
    git(repository, "apply", "change.diff")
    assert (repository / "loss.py").read_text() == "weight = 2\n"


def test_long_diff_is_cut_and_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "DIFF_LIMIT", 50)
    (repository / "loss.py").write_text("weight = 3\n" * 100)
    code = code_version(repository)
    assert len(code.diff) == 50
    assert not code.diff_complete
    assert code.summary()["diff_complete"] is False


def test_no_repository_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert code_version(tmp_path).commit is None
    monkeypatch.setenv("PATH", "")
    assert code_version(tmp_path).commit is None


def test_dependencies_are_those_that_are_imported() -> None:
    found = dependencies()
    assert found["torch"].partition("+")[0] == torch.__version__.partition("+")[0]
    assert found["packaging"] == packaging.__version__


def test_machine_names_what_matters() -> None:
    assert {"hostname", "pid", "cpu", "cpu_count", "gpus"} <= set(machine())
