"""Writes run folders as the observer does, with figures that are known beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.peers.record import Record
from experiments.run_folder import create_run_folder, write_json
from hipreg.data import CasePair
from hipreg.evaluation import LabelMetrics, write_rows
from results.comparison import Comparison, build, comparisons
from results.metrics import DEFAULT, find_metrics
from results.rows import Design
from results.runs import load_runs
from results.selection import Filter, RowQuery, one_subject, usable

COMMIT = "0123456789abcdef"
MANY = tuple((100 + i, 200 + i) for i in range(24))


def rows(
    dice: float, *, pairs: Iterable[tuple[int, int]] = ((1, 2), (2, 1)), hd95: float = 2.0
) -> list[LabelMetrics]:
    """Two labels for each of ``pairs``, around ``dice``."""
    return [
        LabelMetrics(fixed, moving, label, dice + spread, hd95, 0.4, 0.1, 0.0)
        for fixed, moving in pairs
        for label, spread in ((1, 0.1), (2, -0.1))
    ]


def varied(
    dice: float, *, seed: int = 0, pairs: Sequence[tuple[int, int]] = MANY
) -> list[LabelMetrics]:
    """Two labels for each pair, of which some are hard for every method."""
    hardness = np.random.default_rng(99).normal(0, 0.05, len(pairs))
    own = np.random.default_rng([seed, round(1000 * dice)]).normal(0, 0.02, (len(pairs), 3))
    return [
        LabelMetrics(
            fixed=fixed,
            moving=moving,
            label=label,
            dice=float(np.clip(dice + hardness[i] + own[i, label - 1], 0, 1)),
            hd95=float(2 + 8 * (0.8 - dice) - 10 * hardness[i] + 5 * own[i, label - 1]),
            sdlogj=float(abs(0.06 + own[i, 2] / 4)) * (dice > 0.6),
            sdlogj_2020=float(abs(0.06 + own[i, 2] / 4)) / 4 * (dice > 0.6),
            folding=0.0,
        )
        for i, (fixed, moving) in enumerate(pairs)
        for label in (1, 2)
    ]


def write_run(
    root: Path,
    name: str,
    *,
    status: str = "COMPLETED",
    config: Mapping[str, Any] | None = None,
    fingerprint: str = "f00d",
    tables: Mapping[str, list[LabelMetrics]] | None = None,
    info: Mapping[str, Any] | None = None,
    lineage: Sequence[int] = (),
) -> Path:
    """A run folder under ``root`` with the given metrics per pair."""
    run_id, folder = create_run_folder(root)
    about: dict[str, Any] = {"id": run_id, "name": name, "status": status}
    about["git"] = {"commit": COMMIT, "dirty": False}
    about |= {"lineage": [*lineage, run_id], "parent": lineage[-1] if lineage else None}
    # By its start the mirror tells a run from others.
    about |= {"start_time": f"2026-01-02T03:04:05.{run_id:06d}+00:00"}
    about["artifacts"] = [{"name": f"pairs_{table}.csv"} for table in tables or {}]
    write_json(folder / "run.json", about)
    settings = {"name": name, "dataset": "hippocampus", **(config or {})}
    write_json(folder / "config.json", settings)
    data = {"dataset": settings["dataset"], "fingerprint": fingerprint}
    write_json(folder / "info.json", {"data": data, **(info or {})})
    (folder / "artifacts").mkdir()
    for table, content in (tables or {}).items():
        write_rows(folder / "artifacts" / f"pairs_{table}.csv", content)
    return folder


def finished(root: Path, name: str, dice: float, **options: Any) -> Path:
    """A finished run with validation rows around ``dice`` and unregistered rows around 0.5."""
    of_rows = {key: options.pop(key) for key in ("pairs", "hd95") if key in options}
    tables = {
        "val": rows(dice, **of_rows),
        "unregistered": rows(0.5, **of_rows),
    }
    return write_run(root, name, tables=tables, **options)


def study(root: Path) -> Path:
    """The runs of a small ablation: a baseline and two better methods, two of three seeds."""
    for name, dice, seeds in (("baseline", 0.78, 3), ("sym", 0.80, 3), ("sym pretrain", 0.81, 1)):
        for seed in range(seeds):
            tables = {"val": varied(dice, seed=seed), "unregistered": varied(0.55, seed=50)}
            config = {"seed": seed, "symmetric": "sym" in name, "epochs": 4}
            folder = write_run(root, name, tables=tables, config=config)
            write_curves(folder, dice, seed)
    return root


def write_curves(folder: Path, dice: float, seed: int) -> None:
    """Learning curves that end at ``dice``."""
    lines = []
    noise = np.random.default_rng(seed).normal(0, 0.01, 12)
    for step in range(1, 13):
        value = dice - 0.3 * np.exp(-step / 3) + noise[step - 1]
        values = {"selection/dice": value, "val/dice": value - 0.01, "train/loss": 1 - value}
        lines.append(f'{{"step": {step}, "time": "", "values": {_json(values)}}}\n')
    (folder / "metrics.jsonl").write_text("".join(lines))


def _json(values: Mapping[str, float]) -> str:
    return "{" + ", ".join(f'"{key}": {float(value)!r}' for key, value in values.items()) + "}"


def table_of(
    root: Path, *rows: str, metrics: Sequence[str] = DEFAULT, **design: Any
) -> Comparison:
    """The table with the given rows of the runs under ``root``; the comparison without rows."""
    found, _ = usable(load_runs(root), Filter())
    queries = tuple(RowQuery.parse(text) for text in rows)
    wanted = Design(find_metrics(metrics), queries, **design)
    if rows or design:
        return build(one_subject(found), "val", wanted)
    (only,) = comparisons(found, "val", wanted)
    return only


def write_peer(folder: Path, name: str, found: Sequence[LabelMetrics], **about: object) -> Path:
    """A record as experiments.peers leaves it, a second a pair, two of processor time."""
    pairs = {CasePair(row.fixed, row.moving) for row in found}
    document = {
        "format": 1,
        "method": name,
        "title": name.capitalize(),
        "kind": "model" if name == "sym" else "peer",
        "labels": "training" if name == "sym" else "none",
        "settings": {"strength": 3},
        "size": [48, 64, 48],
        "versions": {name: "1.0"},
        "data": {"dataset": "hippocampus", "fingerprint": "f00d", "split": "val"},
        "metric_definitions": 1,
        "threads": 1,
        "cpu": "a processor",
        "commands": [f"python -m experiments.peers {name}"],
        **about,
    }
    folder.mkdir(exist_ok=True)
    record = Record(folder / f"{name}.json", document, dict.fromkeys(pairs, (1.0, 2.0)), [*found])
    record.write()
    return folder
