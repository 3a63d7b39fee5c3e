"""The challenge's rank score: who is significantly worse than how many others.

As in the ranking code that the organisers of Learn2Reg published (MDL-UzL/L2R, ``ranking/``): on
each metric every two methods are tested over all (pair, label) cases; a method's place is by the
number of comparisons that it lost, places are spread evenly from 0.1 (last) to 1 (first), equal
ones share their mean, and the score is the geometric mean over the metrics. Its text speaks of
the signed-rank test and of comparisons won, its code has the rank-sum test, which takes the two
methods' values for independent, and comparisons lost. "rank-sum" here is the code; "signed-rank"
differs from it by the paired test alone. The speed, which the code may rank too, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import special, stats

Test = Literal["rank-sum", "signed-rank"]
TESTS: tuple[Test, ...] = ("rank-sum", "signed-rank")

Cases = np.ndarray[Any, np.dtype[np.float64]]
"""(methods, pairs, labels): more is better; one label for what is measured of whole pairs."""

SIGNIFICANT = 0.05
STABILITY_RESAMPLES = 1000
_SEED = 2020
WORST_HD95 = 10.0
"""What the code puts in for an infinite or missing HD95."""

LOWEST = 0.1


@dataclass(frozen=True, slots=True)
class RankScores:
    """Scores of methods in one table.

    Attributes:
        test: the test behind them.
        metrics: score on each metric, (methods,), by its key.
        score: (methods,) their geometric mean.
        place: (methods,) 1 for the best; equal scores share the best place.
        first: (methods,) share of resampled pair sets in which the method has place 1.
        low: (methods,) 2.5 % quantile of the place over them.
        high: (methods,) 97.5 % quantile.
    """

    test: Test
    metrics: Mapping[str, np.ndarray[Any, Any]]
    score: np.ndarray[Any, Any]
    place: np.ndarray[Any, Any]
    first: np.ndarray[Any, Any]
    low: np.ndarray[Any, Any]
    high: np.ndarray[Any, Any]


def rank_scores(dice: Cases, hd95: Cases, sdlogj: Cases, initial: Cases, test: Test) -> RankScores:
    """Score methods against each other.

    Args:
        dice: (methods, pairs, labels); nan counts as 0.
        hd95: (methods, pairs, labels); nan and inf count as 10 voxels.
        sdlogj: (methods, pairs, 1); nan counts as worst, for a method that did not register.
        initial: (1, pairs, labels) Dice before registration, which says what the hardest are.
        test: the paired one or the code's.

    Raises:
        ValueError: there are fewer than two methods.
    """
    if dice.shape[0] < 2:
        raise ValueError(f"a rank score compares at least two methods, got {dice.shape[0]}")
    quality = {
        "dice": np.nan_to_num(dice, nan=0.0),
        "hd95": -np.where(np.isfinite(hd95), hd95, WORST_HD95),
        "sdlogj": -np.where(np.isnan(sdlogj), np.inf, sdlogj),
    }
    hardness = np.nan_to_num(initial[0], nan=0.0)
    pairs = dice.shape[1]
    whole = _metric_scores(quality, hardness, np.arange(pairs)[None], test)
    score = _geometric(whole)[0]
    generator = np.random.Generator(np.random.PCG64(_SEED))
    drawn = generator.integers(0, pairs, (STABILITY_RESAMPLES, pairs))
    places = _places(_geometric(_metric_scores(quality, hardness, drawn, test)))
    low, high = np.quantile(places, [0.025, 0.975], axis=0, method="nearest")
    return RankScores(
        test=test,
        metrics={name: values[0] for name, values in whole.items()},
        score=score,
        place=_places(score[None])[0],
        first=(places == 1).mean(0),
        low=low,
        high=high,
    )


def _metric_scores(
    quality: Mapping[str, Cases], hardness: Cases, drawn: Any, test: Test
) -> dict[str, Any]:
    """Scores (resamples, methods) by metric, of pairs drawn (resamples, pairs)."""
    scores = {}
    for name, values in quality.items():
        cases = values[:, drawn].reshape(len(values), len(drawn), -1)
        scores[name] = spread_places(losses(cases, test))
        if name == "dice":
            drawn_hardness = hardness[drawn].reshape(len(drawn), -1)
            count = round(drawn_hardness.shape[1] * 0.3)
            hardest = np.argsort(drawn_hardness, axis=1, kind="stable")[:, :count]
            cases = np.take_along_axis(cases, hardest[None], axis=2)
            scores["dice30_hard"] = spread_places(losses(cases, test))
    return scores


def losses(cases: Cases, test: Test) -> np.ndarray[Any, Any]:
    """How many methods each is significantly worse than.

    Args:
        cases: (methods, resamples, cases), more is better.
        test: which one.

    Returns:
        (resamples, methods).
    """
    statistic = _rank_sum if test == "rank-sum" else _signed_rank
    critical = special.ndtri(1 - SIGNIFICANT / 2)
    methods, resamples, _ = cases.shape
    lost = np.zeros((resamples, methods), dtype=int)
    for i in range(methods):
        for j in range(i + 1, methods):
            z = statistic(cases[i], cases[j])
            lost[:, j] += z > critical
            lost[:, i] += z < -critical
    return lost


def spread_places(lost: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Scores from 0.1 (lost most) to 1 (lost least), of (resamples, methods); ties share."""
    methods = lost.shape[1]
    order = stats.rankdata(-lost, method="average", axis=1) - 1
    return np.asarray(LOWEST + (1 - LOWEST) * order / (methods - 1))


def _rank_sum(ours: Cases, theirs: Cases) -> np.ndarray[Any, Any]:
    """z of the Wilcoxon rank-sum test along the last axis, like SciPy's ``ranksums``."""
    n = ours.shape[-1]
    ranks = stats.rankdata(np.concatenate([ours, theirs], -1), axis=-1)
    expected = n * (2 * n + 1) / 2
    return np.asarray((ranks[..., :n].sum(-1) - expected) / np.sqrt(n * n * (2 * n + 1) / 12))


def _signed_rank(ours: Cases, theirs: Cases) -> np.ndarray[Any, Any]:
    """z of the Wilcoxon signed-rank test along the last axis, zeros left out, ties corrected."""
    with np.errstate(invalid="ignore"):
        differences = np.where(ours == theirs, 0.0, ours - theirs)
    zeros = (differences == 0).sum(-1, keepdims=True)
    # Zeros have the lowest ranks, which are taken off again.
    ranks = stats.rankdata(np.abs(differences), axis=-1) - zeros
    ranks = np.where(differences == 0, 0.0, ranks)
    # Under the null each rank has either sign: the variance is the sum of squares, ties included.
    spread = np.sqrt((ranks**2).sum(-1))
    signed = (np.sign(differences) * ranks).sum(-1)
    return np.divide(signed, spread, out=np.zeros_like(signed), where=spread > 0)


def _geometric(scores: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(np.exp(np.mean([np.log(values) for values in scores.values()], axis=0)))


def _places(score: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # Rounded, because equal products are not equal to the last bit.
    return np.asarray(stats.rankdata(-score.round(9), method="min", axis=-1), dtype=int)
