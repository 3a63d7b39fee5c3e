"""Runs every test of a folder on the compiled kernels and on plain PyTorch."""

from __future__ import annotations

import pytest

from hipreg.native import build, kernels
from tests.helpers import skip_or_fail


@pytest.fixture(autouse=True, params=["compiled", "plain"])
def compiled_or_plain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Import it in a folder's conftest."""
    if request.param == "plain":
        monkeypatch.setattr(kernels, "_kernels", lambda: None)
    elif build.library() is None:
        skip_or_fail("no C compiler, so there are no compiled kernels to test")
    return str(request.param)
