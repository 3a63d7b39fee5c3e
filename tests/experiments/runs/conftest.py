"""Fixtures of the runs command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments.runs.made import Command


@pytest.fixture
def runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over a folder of runs, ``runs.root``, that is still empty."""
    return Command(tmp_path / "runs", capsys)
