"""Two thousand runs of 600 epochs are listed at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.experiments.runs.made import make_run
from tests.experiments.runs.test_command import ROOT, computing

RUNS, EPOCHS, METRICS = 2000, 600, 20


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many runs with documents as large as real ones; their metrics share the disk's space."""
    root = tmp_path_factory.mktemp("many")
    names = ["val/dice", *(f"train/loss/{i}" for i in range(METRICS - 1))]
    lines = [
        {name: 1 / (epoch + i + 2) for i, name in enumerate(names)} for epoch in range(EPOCHS)
    ]
    packages = {f"package-{i}": "1.2.3" for i in range(100)}
    first = make_run(root, metrics=lines, config={"epochs": EPOCHS}, dependencies=packages)
    for i in range(RUNS - 1):
        config = {"epochs": EPOCHS, "seed": i, **{f"entry_{j}": j for j in range(45)}}
        folder = make_run(root, config=config, dependencies=packages)
        os.link(first / "metrics.jsonl", folder / "metrics.jsonl")
    return root


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--sort", "val/dice", "--where", "seed>=1000", "--name", "sym"),
        ("--columns", "id,no_such,train/loss/7"),
    ],
    ids=["plain", "filtered", "wrong"],
)
def test_list_takes_less_than_two_seconds(many: Path, options: tuple[str, ...]) -> None:
    status = 2 if "id,no_such,train/loss/7" in options else 0
    assert min(computing("-R", str(many), "list", *options, status=status) for _ in range(3)) < 2


@pytest.mark.slow
def test_list_takes_little_memory(many: Path) -> None:
    code = (
        "import re, sys; from experiments.runs.command import main\n"
        f"main(['-R', {str(many)!r}, 'list'])\n"
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())\n"
        "print(peak[1], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert int(done.stderr.splitlines()[-1]) < 300_000  # KiB
