"""Time and memory."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from hipreg.benchmark import measure
from hipreg.benchmark.measure import (
    Mark,
    medians,
    time_calls,
    time_phases,
)

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


def test_phases_last_as_long_as_they_sleep() -> None:
    def call(mark: Mark) -> None:
        time.sleep(0.02)
        mark("long")
        mark("none")

    phases = time_phases(call, device=CPU, repeats=3)
    assert {name: len(seconds) for name, seconds in phases.items()} == {"long": 3, "none": 3}
    assert min(phases["long"]) >= 0.02
    assert medians(phases)["none"] < 0.01


def test_warm_up_does_not_count_unless_it_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    assert len(time_calls(lambda: calls.append(1), device=CPU, repeats=2)) == 2
    assert len(calls) == 3
    calls.clear()
    monkeypatch.setattr(measure, "LONG_CALL", 0.0)
    assert len(time_calls(lambda: calls.append(1), device=CPU, repeats=2)) == 2
    assert len(calls) == 2


def test_no_repeat_is_refused() -> None:
    with pytest.raises(ValueError, match="repeats"):
        time_calls(lambda: None, device=CPU, repeats=0)


_PEAK = """
import torch
from hipreg.benchmark.measure import peak_memory, reset_peak_memory
device = torch.device("cpu")
before = reset_peak_memory(device)
held = torch.ones(16 << 20)
del held
print(peak_memory(device) - before)
"""


def test_peak_grows_by_what_was_used_and_given_back() -> None:
    # A process of its own: that of the tests may give memory back at the same time.
    held = torch.ones(64 << 20)
    found = subprocess.run(
        [sys.executable, "-c", _PEAK], cwd=ROOT, capture_output=True, text=True, check=True
    )
    del held
    assert 0.9 * (64 << 20) < int(found.stdout) < 1.5 * (64 << 20)
