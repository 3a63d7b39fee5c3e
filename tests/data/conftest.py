"""Fixtures of the data layer's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.data.helpers import write_cases


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's cache or is led to the user's data."""
    monkeypatch.setenv("HIPREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HIPREG_DATA", raising=False)


@pytest.fixture
def decathlon(tmp_path: Path) -> Path:
    """A folder Task04_Hippocampus with cases 1, 3 and 4."""
    return write_cases(tmp_path / "source")
