"""From rows to the figures of a table, in the challenge's manner.

A pair's Dice (and HD95) is the mean over its labels; a mean is one over the pairs; a "30" figure
is a quantile over the pairs, so that it speaks of how the hard cases fare.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import floor, fsum, isnan, nan

from hipreg.evaluation.rows import NO_LABEL, LabelMetrics

_QUANTILES = {
    # name of the figure: (column, quantile over the pairs)
    "dice30": ("dice", 0.3),
    "hd95_30": ("hd95", 0.3),
    "sdlogj_30": ("sdlogj", 0.7),
    "sdlogj_2020_30": ("sdlogj_2020", 0.7),
}

_PER_LABEL = ("dice", "hd95")
_PER_PAIR = ("sdlogj", "sdlogj_2020", "folding")


def aggregate(rows: Iterable[LabelMetrics]) -> dict[str, float]:
    """The figures that a table or a log shows of one evaluation.

    Args:
        rows: One per pair and label, as :func:`hipreg.evaluation.evaluate_pairs` returns them.

    Returns:
        ``dice``, ``hd95``, ``sdlogj``, ``sdlogj_2020`` and ``folding`` (means over the pairs),
        ``dice30``, ``hd95_30`` (quantile 0.3), ``sdlogj_30``, ``sdlogj_2020_30`` (quantile 0.7),
        and ``dice/label_<l>``, ``hd95/label_<l>`` per label. Labels absent from a case (nan) are
        left out; one empty warped label makes ``hd95`` inf. A figure of nothing is nan. Pairs
        without labels (``NO_LABEL``) have the figures of smoothness alone.

    Raises:
        ValueError: If there are no rows, or a pair has one label twice.
    """
    rows = list(rows)
    if not rows:
        raise ValueError("got no rows of metrics, wanted one per pair and label")
    pairs = _by_pair(rows)
    per_label = () if all(row.label == NO_LABEL for row in rows) else _PER_LABEL
    columns = {name: _pair_values(pairs, name) for name in per_label}
    for name in _PER_PAIR:
        columns[name] = [getattr(group[0], name) for group in pairs.values()]
    figures = {name: mean(_known(columns[name])) for name in per_label}
    figures |= {name: mean(columns[name]) for name in _PER_PAIR}
    for name, (column, level) in _QUANTILES.items():
        if column not in columns:
            continue
        values = columns[column]
        figures[name] = quantile(_known(values) if column in _PER_LABEL else values, level)
    for label in sorted({row.label for row in rows}):
        for name in per_label:
            values = [getattr(row, name) for row in rows if row.label == label]
            figures[f"{name}/label_{label}"] = mean(_known(values))
    return figures


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean; nan of nothing.

    Args:
        values: Of any unit; inf and nan count as such.

    Returns:
        The mean, in the values' unit.
    """
    return fsum(values) / len(values) if values else nan


def quantile(values: Sequence[float], level: float) -> float:
    """The linearly interpolated quantile of NumPy, but defined beside inf as well.

    Args:
        values: Of any unit; one nan makes the quantile nan.
        level: 0 to 1.

    Returns:
        The quantile, in the values' unit; nan of nothing.

    Raises:
        ValueError: If the level lies outside 0 to 1.
    """
    if not 0 <= level <= 1:
        raise ValueError(f"a quantile's level lies between 0 and 1, got {level}")
    if not values or any(map(isnan, values)):
        return nan
    ordered = sorted(values)
    position = level * (len(ordered) - 1)
    below = floor(position)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    # inf - inf and 0 * inf are nan, though the quantile between equal or at a value is plain.
    if low == high or position == below:
        return low
    return low + (high - low) * (position - below)


def _by_pair(rows: Sequence[LabelMetrics]) -> Mapping[tuple[int, int], list[LabelMetrics]]:
    pairs: dict[tuple[int, int], list[LabelMetrics]] = {}
    for row in rows:
        group = pairs.setdefault((row.fixed, row.moving), [])
        if any(row.label == other.label for other in group):
            raise ValueError(
                f"got label {row.label} of the pair fixed {row.fixed}, moving {row.moving} twice"
            )
        group.append(row)
    return pairs


def _pair_values(pairs: Mapping[tuple[int, int], list[LabelMetrics]], column: str) -> list[float]:
    """Mean over the labels of each pair, nan for a pair without any."""
    return [mean(_known([getattr(row, column) for row in group])) for group in pairs.values()]


def _known(values: Iterable[float]) -> list[float]:
    return [value for value in values if not isnan(value)]
