"""The columns that a table may have: what each is, how it is worked out, which way is better."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

HARD_SHARE = 0.3
"""The share of (pair, label) cases that "the hardest" are, in the challenge's code."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One column.

    Attributes:
        key: what it is called on the command line and in CSV and JSON files.
        title: its head in a table.
        column: the measured quantity, a column of the tables per pair and label.
        reduce: over the pairs: their ``mean``, a ``quantile``, or ``hardest``, the mean over the
            30 % of all (pair, label) cases that overlap least before registration.
        level: of the quantile.
        better: +1 where more is better, -1 where less is.
        digits: decimals in a table.
        label: the only label that counts; None for the mean over the labels of a pair.
        published: the column of the published figures; None where there is none.
        meaning: one sentence for the legend.
    """

    key: str
    title: str
    column: str
    reduce: Literal["mean", "quantile", "hardest"]
    better: Literal[1, -1]
    meaning: str
    level: float = 0.0
    digits: int = 3
    label: int | None = None
    published: str | None = None

    @property
    def arrow(self) -> str:
        """The direction that is better."""
        return "\u2191" if self.better > 0 else "\u2193"

    @property
    def per_label(self) -> bool:
        """Whether it differs between the labels of a pair."""
        return self.column in ("dice", "hd95")

    @property
    def trivial_unregistered(self) -> bool:
        """Whether no registration at all is best by definition, so that it cannot win."""
        return not self.per_label


_OVERLAP = "mean over pairs of the mean over labels"
_SPREAD = "standard deviation of the log-Jacobian, log(J + {}), mean over pairs"

METRICS = {
    metric.key: metric
    for metric in (
        Metric("dice", "Dice", "dice", "mean", 1, f"Dice: {_OVERLAP}", published="dice"),
        Metric(
            "dice30",
            "Dice30",
            "dice",
            "quantile",
            1,
            "Dice30: quantile 0.3 over pairs",
            level=0.3,
            published="dice30",
        ),
        Metric(
            "dice30_hard",
            "Dice30 (hardest)",
            "dice",
            "hardest",
            1,
            "Dice30 (hardest): mean over the 30 % of all pairs and labels with the lowest Dice "
            "before registration, as the organisers' ranking code has it",
            published="dice30",
        ),
        Metric(
            "hd95",
            "HD95",
            "hd95",
            "mean",
            -1,
            f"HD95: 95th percentile of the surface distance in voxels, {_OVERLAP}",
            digits=2,
            published="hd95",
        ),
        Metric(
            "hd95_30",
            "HD95-30",
            "hd95",
            "quantile",
            -1,
            "HD95-30: quantile 0.3 of HD95 over pairs",
            level=0.3,
            digits=2,
        ),
        Metric(
            "sdlogj",
            "Jacobian",
            "sdlogj",
            "mean",
            -1,
            f"Jacobian: {_SPREAD.format(3)} (today's Learn2Reg evaluator)",
            published="jacobian",
        ),
        Metric(
            "sdlogj_2020",
            "Jacobian (2020)",
            "sdlogj_2020",
            "mean",
            -1,
            f"Jacobian (2020): {_SPREAD.format(15)} (the evaluator of 2020)",
            published="jacobian",
        ),
        Metric(
            "folding",
            "Folding",
            "folding",
            "mean",
            -1,
            "Folding: share of voxels with J <= 0, mean over pairs",
            digits=6,
        ),
    )
}

DEFAULT = ("dice", "dice30", "hd95", "sdlogj")
"""The columns of the comparison, as they were published."""

_LABEL = "/label_"


def find_metrics(keys: Iterable[str]) -> tuple[Metric, ...]:
    """The metrics of the given keys, ``dice`` as much as ``dice/label_1``.

    Raises:
        ValueError: a key is unknown or given twice, or the metric has no labels.
    """
    found = [find_metric(key) for key in keys]
    if not found:
        raise ValueError("a table needs at least one metric, got none")
    twice = {metric.key for metric in found if sum(m.key == metric.key for m in found) > 1}
    if twice:
        raise ValueError(f"each metric makes one column, got twice: {', '.join(sorted(twice))}")
    return tuple(found)


def find_metric(key: str) -> Metric:
    """The metric of one key.

    Raises:
        ValueError: as :func:`find_metrics`.
    """
    name, _, label = key.partition(_LABEL)
    metric = METRICS.get(name)
    if metric is None or (_LABEL in key and not label.isdecimal()):
        raise ValueError(
            f"unknown metric {key!r}; there are {', '.join(METRICS)}, and of Dice and HD95 those "
            "of one label, as in dice/label_1"
        )
    return of_label(metric, int(label)) if label else metric


def of_label(metric: Metric, label: int) -> Metric:
    """The same metric of one label alone; nothing is published of it.

    Raises:
        ValueError: the metric is one of a whole pair.
    """
    if not metric.per_label:
        raise ValueError(f"{metric.title} is one number a pair, it has no labels")
    return replace(
        metric,
        key=f"{metric.key}{_LABEL}{label}",
        title=f"{metric.title}, label {label}",
        label=label,
        published=None,
        meaning=f"{metric.meaning}; of label {label} alone",
    )


def by_label(metrics: Sequence[Metric], labels: Sequence[int]) -> tuple[Metric, ...]:
    """Each metric that has labels, followed by those of its labels."""
    wide: list[Metric] = []
    for metric in metrics:
        wide.append(metric)
        if metric.per_label and metric.label is None:
            wide += [of_label(metric, label) for label in labels]
    return tuple(wide)
