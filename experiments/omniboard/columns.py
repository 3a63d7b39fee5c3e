"""The columns that Omniboard shows at first; whoever chose others keeps them."""

from __future__ import annotations

from typing import Any

METRICS = (
    ("val/dice", "max"),
    ("val/dice30", "max"),
    ("val/hd95", "min"),
    ("val/sdlogj", "last"),
    ("selection/dice", "max"),
    ("train/loss", "last"),
)
"""Metrics and what of each is shown; a column without a value stays empty."""

CONFIG = (
    ("configuration", "config.name"),
    ("dataset", "config.dataset"),
    ("epochs", "config.epochs"),
    ("learning rate", "config.learning_rate"),
    ("seed", "config.seed"),
    ("run folder", "meta.run_folder"),
)
"""Column names and where in the run document their values are."""


def preload(database: Any) -> None:
    """Give a database its first columns, each kind only where it has none."""
    metrics = [
        {"name": f"{name} {what}", "metric_name": name, "extrema": what} for name, what in METRICS
    ]
    custom = [{"name": name, "config_path": path} for name, path in CONFIG]
    for collection, columns in (("metric", metrics), ("custom", custom)):
        chosen = database[f"omniboard.{collection}.columns"]
        if chosen.find_one() is None:
            chosen.insert_many(columns)
