"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

# Before torch starts its threads: tests run side by side, and a thread that waits by spinning
# keeps the others from the cores. The processes that tests start inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest
import torch

from tests.helpers import skip_or_fail

torch.set_num_threads(2)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the labelled hippocampus MRI; the test skips where there is none."""
    folder = os.environ.get("HIPREG_DATA", "")
    if not folder:
        skip_or_fail("HIPREG_DATA is not set, so there is no real MRI to test on")
    if not Path(folder).is_dir():
        pytest.fail(f"HIPREG_DATA={folder} is not a folder")
    return Path(folder)
