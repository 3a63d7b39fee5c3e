"""What recording costs beside training: ``python experiments/recording_cost.py [RUN]``.

Records a run of many numbers and as much output as is kept in a folder that goes afterwards, and
prints what its start, an epoch, a beat and its end took, on the disk that runs are recorded on. An
epoch of RUN (its number, its folder or ``latest``) or of --epoch-seconds says which share of the
training that is.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.observer import RunFolderObserver
from experiments.resume import LATEST, find_run
from experiments.run_folder import runs_root
from experiments.words import run_command

LARGEST_START, LARGEST_SHARE = 2.0, 0.01
"""What is promised: seconds at the start, and the share of an epoch."""
BEAT = 10.0
"""Seconds between two beats, as Sacred has it."""

METRICS = {f"val/number_{i}": i / 7 for i in range(80)}
"""More than a training logs an epoch."""
OUTPUT = "epoch 1/600: loss 0.4711, Dice 0.801, 31.4 pairs/s\n" * 19_000
"""As much captured output as is kept."""
_EPOCHS, _BEATS, _STARTS = 100, 5, 3
# torch is what any training imports.
_IMPORTS = (
    "import time, torch; start = time.{0}(); import experiments.tracking; "
    "print(time.{0}() - start)"
)


Clock = Callable[[], float]


def measure(root: Path, clock: Clock = time.perf_counter) -> dict[str, float]:
    """Seconds of the parts of a record, by their names.

    Args:
        root: Gets run folders. The first start in a folder keeps the sources, which later ones
            find; of several starts the fastest counts, the one that others disturbed least.
        clock: ``time.perf_counter``, or ``time.process_time`` for what a busy machine spends
            on it alone.
    """
    observer, now = RunFolderObserver(root), datetime(2026, 1, 1)
    about: dict[str, Any] = {
        "ex_info": {"name": "cost", "base_dir": str(Path(__file__).parent)},
        "command": "main",
        "host_info": {},
        "config": {f"entry_{i}": i for i in range(60)},
        "meta_info": {},
    }
    epochs = iter(range(1, _EPOCHS + 1))

    def start() -> None:
        observer.started_event(start_time=now, _id=None, **about)

    def first(number: int) -> float:
        other = RunFolderObserver(root / f"other{number}")
        return _seconds(lambda: other.started_event(start_time=now, _id=None, **about), clock)

    def beat() -> None:
        observer.heartbeat_event(info={"a": 1}, captured_out=OUTPUT, beat_time=now, result=0.5)

    return {
        "imports": min(imports(clock) for _ in range(_STARTS)),
        "first start in a folder": min(first(k) for k in range(_STARTS)),
        "start": min(_seconds(start, clock) for _ in range(_STARTS)),
        "epoch": _seconds(lambda: observer.write_metrics(next(epochs), METRICS), clock, _EPOCHS),
        "beat": _seconds(beat, clock, _BEATS),
        "end": _seconds(lambda: observer.completed_event(stop_time=now, result=0.5), clock),
    }


def imports(clock: Clock = time.perf_counter) -> float:
    """Seconds that a new process takes to import what records."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _IMPORTS.format(clock.__name__)],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def share(figures: dict[str, float], epoch_seconds: float) -> float:
    """The share of an epoch that its numbers and the beats within it take."""
    return figures["epoch"] / epoch_seconds + figures["beat"] / BEAT


def start_up(figures: dict[str, float]) -> float:
    """Seconds from a training's start that go into its record, in the worst case."""
    return figures["imports"] + figures["first start in a folder"]


def report(figures: dict[str, float], epoch_seconds: float | None) -> str:
    """The figures, beside what is promised."""
    lines = [f"  {name:24} {1e3 * seconds:9.1f} ms" for name, seconds in figures.items()]
    lines.append(f"Start-up {start_up(figures):.2f} s (at most {LARGEST_START:.0f} s)")
    if epoch_seconds is not None:
        part = 100 * share(figures, epoch_seconds)
        lines.append(
            f"Of an epoch of {epoch_seconds:.2f} s, recording takes {part:.2f} % "
            f"(at most {100 * LARGEST_SHARE:.0f} %)"
        )
    return "\n".join(lines)


def epoch_of(root: Path, wanted: str) -> float:
    """Median seconds of an epoch of a run.

    Raises:
        ValueError: There is no such run, or it recorded no epoch.
    """
    record = find_run(root, wanted, None)
    series = record.metrics().get("epoch_seconds")
    if series is None:
        raise ValueError(f"{record.folder} has no epoch with its time; name another run")
    return statistics.median(value for _, value in series)


def _seconds(call: Callable[[], Any], clock: Clock, times: int = 1) -> float:
    began = clock()
    for _ in range(times):
        call()
    return (clock() - began) / times


def main(arguments: Sequence[str]) -> int:
    """Measure, and print the report."""
    parser = argparse.ArgumentParser(
        prog="experiments/recording_cost.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", nargs="?", help=f"whose epochs to compare with, as in {LATEST}")
    parser.add_argument("--epoch-seconds", type=float, help="the same by its length")
    parser.add_argument("-R", "--runs-dir", type=Path, help="folder of runs")
    chosen = parser.parse_args(arguments)
    root = chosen.runs_dir or runs_root()
    epoch = chosen.epoch_seconds if chosen.run is None else epoch_of(root, chosen.run)
    if epoch is not None and epoch <= 0:
        raise ValueError(f"--epoch-seconds must be more than 0, got {epoch}")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".cost-", dir=root) as folder:
        print(report(measure(Path(folder)), epoch))
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
