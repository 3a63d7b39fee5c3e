"""Writes run folders as the observer does, with figures that are known beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.run_folder import create_run_folder, write_json
from hipreg.evaluation import LabelMetrics, write_rows

COMMIT = "0123456789abcdef"


def rows(
    dice: float, *, pairs: Iterable[tuple[int, int]] = ((1, 2), (2, 1)), hd95: float = 2.0
) -> list[LabelMetrics]:
    """Two labels for each of ``pairs``, around ``dice``."""
    return [
        LabelMetrics(fixed, moving, label, dice + spread, hd95, 0.4, 0.1, 0.0)
        for fixed, moving in pairs
        for label, spread in ((1, 0.1), (2, -0.1))
    ]


def write_run(
    root: Path,
    name: str,
    *,
    status: str = "COMPLETED",
    config: Mapping[str, Any] | None = None,
    fingerprint: str = "f00d",
    tables: Mapping[str, list[LabelMetrics]] | None = None,
    lineage: Sequence[int] = (),
) -> Path:
    """A run folder under ``root`` with the given metrics per pair."""
    run_id, folder = create_run_folder(root)
    git = {"commit": COMMIT, "dirty": False}
    origin = {"lineage": [*lineage, run_id], "parent": lineage[-1] if lineage else None}
    document = {"id": run_id, "name": name, "status": status, "git": git, **origin}
    write_json(folder / "run.json", document)
    settings = {"name": name, "dataset": "hippocampus", **(config or {})}
    write_json(folder / "config.json", settings)
    data = {"dataset": settings["dataset"], "fingerprint": fingerprint}
    write_json(folder / "info.json", {"data": data})
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
