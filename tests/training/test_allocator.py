"""The memory allocator of a training process."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from hipreg.training import keep_freed_memory
assert keep_freed_memory()
torch.ones(16 << 20).sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(16 << 20).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is on Linux")
def test_a_freed_volume_is_used_again_without_new_pages() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120
    )
    # Ten fresh volumes of 64 MiB would touch 163,840 pages of 4 KiB (or 320 of 2 MiB).
    assert int(done.stdout) < 100
