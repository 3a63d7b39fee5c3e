"""What recording costs: at the start of a run, an epoch, a beat, and at its end.

``pytest -m slow -s tests/benchmarks/test_recording.py`` prints the measured figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from experiments.observer import RunFolderObserver
from experiments.records import read_record

METRICS = {f"val/number_{i}": i / 7 for i in range(80)}
"""More than a training logs an epoch."""

OUTPUT = "epoch 1/600: loss 0.4711, Dice 0.801, 31.4 pairs/s\n" * 19_000
"""As much captured output as is kept."""


def seconds(call: Callable[[], Any], times: int = 1) -> tuple[float, float]:
    """Wall and CPU seconds of one of several calls."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        call()
    return (time.perf_counter() - wall) / times, (time.process_time() - cpu) / times


@pytest.mark.slow
def test_recording_is_complete_and_says_what_it_costs(tmp_path: Path) -> None:
    observer, now = RunFolderObserver(tmp_path), datetime(2026, 1, 1)
    about: dict[str, Any] = {
        "ex_info": {"name": "cost", "base_dir": str(Path(__file__).parent)},
        "command": "main",
        "host_info": {},
        "config": {f"entry_{i}": i for i in range(60)},
        "meta_info": {},
    }
    epochs = iter(range(1, 1000))

    def start() -> None:
        observer.started_event(start_time=now, _id=None, **about)

    def beat() -> None:
        observer.heartbeat_event(info={"a": 1}, captured_out=OUTPUT, beat_time=now, result=0.5)

    figures = {
        "first start": seconds(start),
        "start": seconds(start),
        "epoch": seconds(lambda: observer.write_metrics(next(epochs), METRICS), 100),
        "first beat": seconds(beat),
        "beat": seconds(beat, 5),
        "end": seconds(lambda: observer.completed_event(stop_time=now, result=0.5)),
    }
    for name, (wall, cpu) in figures.items():
        print(f"{name}: {1e3 * wall:.1f} ms, of which {1e3 * cpu:.1f} ms of CPU time")
    assert len(read_record(tmp_path / "2").metrics()["val/number_0"]) == 100
