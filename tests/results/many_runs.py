"""Makes folders of very many recorded runs: ``python -m tests.results.many_runs FOLDER``."""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import orjson

from experiments.records import FORMAT
from tests.results.helpers import COMMIT

RUNS, EPOCHS, METRICS = 2000, 600, 20
_VARIANTS = 8
_NAMES = ("loss", "loss/lcc", "loss/dice", "dice", "dice30", "hd95", "sdlogj", "folding")


def metric_names(count: int) -> list[str]:
    """Names as a training logs them."""
    splits = ("train", "selection", "val", "test", "other")
    return [f"{split}/{name}" for name in _NAMES for split in splits][:count]


def make_runs(
    root: Path, *, runs: int = RUNS, epochs: int = EPOCHS, metrics: int = METRICS
) -> None:
    """Write finished runs of random numbers; their metrics repeat every eighth run."""
    variants = [_metrics(seed, epochs, metrics) for seed in range(min(_VARIANTS, runs))]
    for run in range(1, runs + 1):
        folder = root / str(run)
        (folder / "artifacts").mkdir(parents=True)
        documents = {
            "run.json": _document(run),
            "config.json": {"name": "sym", "dataset": "hippocampus", "seed": run}
            | {f"entry_{i}": i for i in range(50)},
            "info.json": {"data": {"dataset": "hippocampus", "fingerprint": "f00d"}},
        }
        for name, document in documents.items():
            (folder / name).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        (folder / "metrics.jsonl").write_bytes(variants[run % len(variants)])


def _document(run: int) -> dict[str, object]:
    return {
        "format": FORMAT,
        "id": run,
        "name": "sym",
        "status": "COMPLETED",
        "start_time": "2026-01-01T00:00:00+00:00",
        "stop_time": "2026-01-01T12:00:00+00:00",
        "heartbeat": "2026-01-01T12:00:00+00:00",
        "result": run / RUNS,
        "git": {"commit": COMMIT, "dirty": False},
        "dependencies": {f"package-{i}": f"{i}.0.1" for i in range(80)},
        "lineage": [run],
        "parent": None,
        "resumed_at_epoch": None,
    }


def _metrics(seed: int, epochs: int, metrics: int) -> bytes:
    draw, names = random.Random(seed), metric_names(metrics)
    lines = [
        orjson.dumps(
            {
                "step": epoch,
                "time": "2026-01-01T00:00:00.123456+00:00",
                "values": {name: draw.random() for name in names},
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        for epoch in range(1, epochs + 1)
    ]
    return b"".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=RUNS)
    chosen = parser.parse_args()
    make_runs(chosen.folder, runs=chosen.runs)
