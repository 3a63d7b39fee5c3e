"""Which labels a method learnt from or registers by: never those of the pair itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

LabelUse = Literal["none", "training", "predicted", "unknown"]

WORDS: Mapping[str, str] = {
    "none": "none",
    "training": "in training",
    "predicted": "in training, predicted at test time",
}
"""The uses in tables, from least to most; what is unknown has none."""


def label_use(config: Mapping[str, Any]) -> LabelUse:
    """What a training's configuration says of labels; unknown where it lacks the entries."""
    try:
        if config.get("segmenter") is not None:
            return "predicted"
        return "training" if float(config["weight_dice"]) > 0 else "none"
    except (KeyError, TypeError, ValueError):
        return "unknown"
