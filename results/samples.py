"""From the metrics of runs to one value a pair, which statistics are made of."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

import numpy as np

from results.measurements import PairTable
from results.metrics import HARD_SHARE, Metric
from results.statistics import Sample, Values


def sample(tables: Sequence[PairTable], metric: Metric, initial: PairTable | None) -> Sample:
    """One value a pair of a metric: the mean over labels, then over seeds.

    Args:
        tables: of one method, one a seed; of equal pairs and labels.
        metric: which, of which labels.
        initial: says which cases are the hardest; without it there are none.
    """
    cases = np.stack([table.values[metric.column] for table in tables])
    if not metric.per_label:
        cases = cases[:, :, :1]
    elif metric.reduce == "hardest":
        chosen = np.zeros_like(cases[0], dtype=bool) if initial is None else hardest(initial)
        cases = np.where(chosen, cases, nan)
    if metric.label is not None:
        if metric.label not in tables[0].labels:
            raise ValueError(
                f"{metric.key}: the labels are {', '.join(map(str, tables[0].labels))}"
            )
        at = tables[0].labels.index(metric.label)
        cases = cases[:, :, at : at + 1]
    known = ~np.isnan(cases[0])
    # Each case counts once in a figure over cases; elsewhere each pair does.
    weights = known.sum(-1) if metric.reduce == "hardest" else np.ones(len(known))
    return Sample(known_mean(known_mean(cases, 2), 0), weights.astype(np.float64))


def hardest(initial: PairTable) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(pairs, labels) which 30 % of the cases overlap least before registration."""
    dice = np.nan_to_num(initial.values["dice"], nan=0.0)
    order = np.argsort(dice.ravel(), kind="stable")[: round(dice.size * HARD_SHARE)]
    chosen = np.zeros(dice.size, dtype=bool)
    chosen[order] = True
    return chosen.reshape(dice.shape)


def known_mean(values: Values, axis: int) -> Values:
    """The mean of what is not nan along an axis; nan of nothing."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Values = np.where(known, values, 0.0).sum(axis) / known.sum(axis)
    return means
