"""How long two thousand runs of 600 epochs and 20 metrics take to read, and how much memory.

``pytest -m slow -s tests/benchmarks/test_many_runs.py`` prints the measured figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.results.many_runs import EPOCHS, METRICS, RUNS, make_runs

ROOT = Path(__file__).resolve().parents[2]

# In a process of its own, so that its memory is that of the reading alone.
READ = """
import json, resource, sys, time
from pathlib import Path
from experiments.records import read_records
from results.runs import load_runs
root = Path(sys.argv[1])
began = time.perf_counter()
listed = [(run.id, run.shown_status, run.name) for run in read_records(root).runs]
listing = time.perf_counter() - began
began = time.perf_counter()
runs = load_runs(root).runs
points = sum(len(series) for run in runs for series in run.metrics.values())
loading = time.perf_counter() - began
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([len(listed), listing, points, loading, time.process_time(), memory]))
"""


@pytest.mark.slow
def test_all_points_of_two_thousand_runs_fit_into_two_gibibytes(tmp_path: Path) -> None:
    make_runs(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    runs, listing, points, loading, cpu, memory = json.loads(done.stdout)
    print(f"documents of {runs} runs in {listing:.2f} s; {points} points in {loading:.1f} s")
    print(f"{cpu:.1f} s of CPU time in all, and at most {memory:.2f} GiB")
    assert (runs, points) == (RUNS, RUNS * EPOCHS * METRICS)
    assert memory < 2
