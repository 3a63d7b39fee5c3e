"""Statistics over pairs: intervals, paired tests and effect sizes, for awkward numbers too.

Everything is a function of arrays with one value a pair. Missing values are nan and are left out
(of both sides of a paired comparison); what is then left is the ``n`` that every result carries.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from scipy import special, stats

from results.metrics import Metric

Values = np.ndarray[Any, np.dtype[np.float64]]
"""(pairs,) or (resamples, pairs)."""

Index = np.ndarray[Any, np.dtype[np.intp]]

RESAMPLES = 9999
_SEED = 2020
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Sample:
    """One value a pair of one metric and method.

    Attributes:
        values: (pairs,) nan where there is none.
        weights: (pairs,) how many cases each value is the mean of; 1 but for "hardest".
    """

    values: Values
    weights: Values


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of one method over the pairs.

    Attributes:
        value: the mean or quantile.
        sd: standard deviation over the pairs (n - 1); nan for a quantile, or of fewer than 2.
        low: lower end of the 95 % interval; nan of fewer than 2 pairs or with infinite values.
        high: its upper end.
        n: pairs that have a value.
        infinite: how many of them are infinite.
    """

    value: float
    sd: float
    low: float
    high: float
    n: int
    infinite: int


@dataclass(frozen=True, slots=True)
class Against:
    """A method compared with the reference, pair by pair.

    Attributes:
        difference: the method's figure minus the reference's, on the pairs that both have.
        low: lower end of its 95 % interval; nan as in :class:`Figure`.
        high: its upper end.
        p: of the two-sided Wilcoxon signed-rank test; nan where no pair differs, and for
            quantiles, which it does not test.
        p_holm: the same after Holm's correction over all comparisons of a table.
        effect: matched rank-biserial correlation: 1 where all differences are positive, -1 where
            all are negative; nan as ``p``.
        n: pairs that both have.
    """

    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    effect: float
    n: int


def figure(sample: Sample, metric: Metric) -> Figure:
    """The figure of a method, with its spread and interval."""
    values, weights = _known(sample)
    infinite = int(np.isinf(values).sum())

    def estimate(index: Index) -> Values:
        return reduce(values[index], weights[index], metric)

    mean_like = metric.reduce != "quantile"
    sd = float(np.std(values, ddof=1)) if mean_like and values.size > 1 and not infinite else nan
    value = float(reduce(values, weights, metric)) if values.size else nan
    low, high = (nan, nan) if infinite else bca(estimate, values.size)
    return Figure(value, sd, low, high, values.size, infinite)


def against(sample: Sample, reference: Sample, metric: Metric) -> Against:
    """A method against the reference; the correction over a table is :func:`holm`'s."""
    both = ~(np.isnan(sample.values) | np.isnan(reference.values))
    ours, theirs = sample.values[both], reference.values[both]
    weights = sample.weights[both]
    n = int(both.sum())
    if not n:
        return Against(nan, nan, nan, nan, nan, nan, 0)

    def estimate(index: Index) -> Values:
        of_index = weights[index]
        return reduce(ours[index], of_index, metric) - reduce(theirs[index], of_index, metric)

    infinite = bool(np.isinf(ours).any() or np.isinf(theirs).any())
    differences = paired_differences(ours, theirs)
    if metric.reduce == "quantile":
        value = float(_minus(reduce(ours, weights, metric), reduce(theirs, weights, metric)))
        p = effect = nan
    else:
        value = float(np.average(differences, weights=weights))
        p, effect = signed_rank(differences), rank_biserial(differences)
    low, high = (nan, nan) if infinite else bca(estimate, n)
    return Against(value, low, high, p, p, effect, n)


def reduce(values: Values, weights: Values, metric: Metric) -> Values:
    """The metric's figure over the last axis, of known values."""
    if metric.reduce != "quantile":
        averages: Values = (values * weights).sum(-1) / weights.sum(-1)
        return averages
    ordered = np.sort(values, -1)
    position = metric.level * (values.shape[-1] - 1)
    below = int(np.floor(position))
    low, high = ordered[..., below], ordered[..., min(below + 1, values.shape[-1] - 1)]
    # Beside inf the usual interpolation would give nan, even right at a value.
    if position == below:
        return np.asarray(low)
    with np.errstate(invalid="ignore"):
        between = low + (high - low) * (position - below)
    return np.where(low == high, low, between)


def paired_differences(ours: Values, theirs: Values) -> Values:
    """``ours - theirs`` for each pair; two infinite distances are equally bad, so 0."""
    return np.asarray(_minus(ours, theirs))


def _minus(ours: Any, theirs: Any) -> Any:
    with np.errstate(invalid="ignore"):
        return np.where(ours == theirs, 0.0, ours - theirs)


def bca(
    estimate: Callable[[Index], Values],
    n: int,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """Bias-corrected and accelerated bootstrap interval (Efron 1987) over n pairs.

    Args:
        estimate: the figures of resampled pairs, from (resamples, n) to (resamples,).
        n: number of pairs.
        level: of confidence.
        resamples: how many; always the same ones, so that the same data give the same interval.

    Returns:
        Its ends; nan of fewer than 2 pairs, the value itself where no resample differs.
    """
    if n < 2:
        return nan, nan
    whole = float(estimate(np.arange(n)[None])[0])
    drawn = estimate(_resampled(n, resamples))
    if np.all(drawn == drawn[0]):
        return float(drawn[0]), float(drawn[0])
    # Half of the equal ones count as below, as with all ranks of ties.
    below = ((drawn < whole).mean() + (drawn <= whole).mean()) / 2
    bias = special.ndtri(np.clip(below, 0.5 / resamples, 1 - 0.5 / resamples))
    left_out = estimate(_leave_one_out(n))
    deviation = left_out.mean() - left_out
    scale = 6 * (deviation**2).sum() ** 1.5
    acceleration = (deviation**3).sum() / scale if scale else 0.0
    tails = bias + special.ndtri([(1 - level) / 2, (1 + level) / 2])
    shares = special.ndtr(bias + tails / (1 - acceleration * tails))
    low, high = np.quantile(drawn, shares)
    return float(low), float(high)


@functools.lru_cache(maxsize=8)
def _resampled(n: int, resamples: int) -> Index:
    generator = np.random.Generator(np.random.PCG64(_SEED))
    return generator.integers(0, n, (resamples, n))


def _leave_one_out(n: int) -> Index:
    return np.array([[j for j in range(n) if j != i] for i in range(n)], dtype=np.intp)


def signed_rank(differences: Values) -> float:
    """Two-sided p of the Wilcoxon signed-rank test; pairs without a difference are left out.

    Exact for up to 50 differences without ties, else by the normal approximation with the ties'
    correction (and no continuity correction), both from SciPy.

    Args:
        differences: (pairs,) known values; infinite ones have the highest rank.
    """
    some = differences[differences != 0]
    if not some.size:
        return nan
    tied = np.unique(np.abs(some)).size != some.size
    method = "exact" if some.size <= 50 and not tied else "asymptotic"
    if tied and some.size <= _ENUMERABLE:
        return _enumerated(some)
    # Ranks are what counts, and SciPy would stumble over infinities.
    ranked = np.sign(some) * stats.rankdata(np.abs(some))
    return float(stats.wilcoxon(ranked, method=method, correction=False).pvalue)


_ENUMERABLE = 12


def _enumerated(some: Values) -> float:
    """The exact p beside ties: over all signs that the differences could have had."""
    ranks = stats.rankdata(np.abs(some))
    signs = (np.arange(2**some.size)[:, None] >> np.arange(some.size)) & 1
    sums = signs @ ranks
    centre = ranks.sum() / 2
    observed = abs(ranks[some > 0].sum() - centre)
    return float((np.abs(sums - centre) >= observed - 1e-9).mean())


def rank_biserial(differences: Values) -> float:
    """Matched rank-biserial correlation (Kerby 2014): favourable less unfavourable rank share."""
    some = differences[differences != 0]
    if not some.size:
        return nan
    ranks = stats.rankdata(np.abs(some))
    return float((ranks * np.sign(some)).sum() / ranks.sum())


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction of a family of p-values; nan is not a member and stays nan."""
    known = sorted((p, i) for i, p in enumerate(ps) if not np.isnan(p))
    corrected = [nan] * len(ps)
    highest = 0.0
    for passed, (p, i) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - passed)))
        corrected[i] = highest
    return corrected


def _known(sample: Sample) -> tuple[Values, Values]:
    known = ~np.isnan(sample.values)
    return sample.values[known], sample.weights[known]
