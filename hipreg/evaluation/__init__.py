"""Metrics of registered pairs, as rows and as figures; NumPy only, apart from the losses."""

from __future__ import annotations

from hipreg.evaluation.aggregate import aggregate
from hipreg.evaluation.evaluate import PairJob, evaluate_pair, evaluate_pairs
from hipreg.evaluation.metrics import dice, warp_label
from hipreg.evaluation.rows import DEFINITIONS, NO_LABEL, LabelMetrics, read_rows, write_rows
from hipreg.evaluation.smoothness import (
    Smoothness,
    folding_share,
    jacobian_determinant,
    sdlogj,
    smoothness,
)
from hipreg.evaluation.surface import hd95

__all__ = [
    "DEFINITIONS",
    "NO_LABEL",
    "LabelMetrics",
    "PairJob",
    "Smoothness",
    "aggregate",
    "dice",
    "evaluate_pair",
    "evaluate_pairs",
    "folding_share",
    "hd95",
    "jacobian_determinant",
    "read_rows",
    "sdlogj",
    "smoothness",
    "warp_label",
    "write_rows",
]
