"""Statistics agree with independent implementations, and are defined where numbers are awkward."""

from __future__ import annotations

import dataclasses
from itertools import product
from math import inf, isnan, nan

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from results.metrics import METRICS, Metric
from results.statistics import (
    Against,
    Figure,
    Sample,
    against,
    bca,
    figure,
    holm,
    paired_differences,
    rank_biserial,
    reduce,
    signed_rank,
)

DICE, DICE30, HD95 = METRICS["dice"], METRICS["dice30"], METRICS["hd95"]
RNG = np.random.default_rng(7)
VALUES = RNG.beta(8, 3, 40)
OTHERS = np.clip(VALUES + RNG.normal(0.02, 0.05, 40), 0, 1)


def sample(*values: float) -> Sample:
    array = np.array(values, dtype=float)
    return Sample(array, np.ones_like(array))


def enumerated_p(differences: list[float]) -> float:
    """Two-sided p of the signed-rank test over all signs, by its definition."""
    some = [d for d in differences if d]
    ranks = stats.rankdata(np.abs(some))
    observed = abs(sum(r if d > 0 else -r for d, r in zip(some, ranks, strict=True)))
    sums = [
        sum(s * r for s, r in zip(signs, ranks, strict=True))
        for signs in product((1, -1), repeat=len(some))
    ]
    return float(np.mean([abs(total) >= observed - 1e-9 for total in sums]))


def same(a: object, b: object) -> bool:
    """Equal, nan equal to nan."""
    return repr(a) == repr(b)


def test_mean_and_deviation_are_those_of_numpy() -> None:
    found = figure(sample(*VALUES), DICE)
    assert found.value == pytest.approx(VALUES.mean())
    assert found.sd == pytest.approx(VALUES.std(ddof=1))
    assert (found.n, found.infinite) == (40, 0)


def test_quantile_is_that_of_numpy() -> None:
    found = figure(sample(*VALUES), DICE30)
    assert found.value == pytest.approx(np.quantile(VALUES, 0.3))
    assert isnan(found.sd)


@pytest.mark.parametrize("metric", [DICE, DICE30])
def test_bca_interval_is_that_of_scipy_on_the_same_resamples(metric: Metric) -> None:
    def statistic(values: np.ndarray, axis: int = -1) -> np.ndarray:
        return reduce(values, np.ones_like(values), metric)

    drawn: list[np.ndarray] = []

    def keep(index: np.ndarray) -> np.ndarray:
        drawn.append(statistic(VALUES[index]))
        return drawn[-1]

    ours = bca(keep, VALUES.size)
    any_result = stats.bootstrap((VALUES,), statistic, n_resamples=10)
    on_ours = dataclasses.replace(any_result, bootstrap_distribution=drawn[1])
    theirs = stats.bootstrap(
        (VALUES,), statistic, method="BCa", n_resamples=0, bootstrap_result=on_ours
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), rel=1e-12)


def test_bca_interval_of_skewed_values_is_the_one_by_the_formulas() -> None:
    skewed = np.exp(np.random.default_rng(3).normal(size=15))
    drawn: list[np.ndarray] = []

    def keep(index: np.ndarray) -> np.ndarray:
        drawn.append(index)
        return skewed[index].mean(-1)

    ours = bca(keep, 15)
    means = skewed[drawn[1]].mean(-1)
    bias = stats.norm.ppf((means < skewed.mean()).mean())
    jackknife = np.array([np.delete(skewed, i).mean() for i in range(15)])
    deviation = jackknife.mean() - jackknife
    a = (deviation**3).sum() / (6 * (deviation**2).sum() ** 1.5)
    z = stats.norm.ppf([0.025, 0.975])
    shares = stats.norm.cdf(bias + (bias + z) / (1 - a * (bias + z)))
    assert ours == pytest.approx(tuple(np.quantile(means, shares)), rel=1e-9)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        drawn = generator.normal(0.8, 0.05, 30)
        low, high = bca(lambda index, v=drawn: v[index].mean(-1), 30, resamples=999)
        hits += low <= 0.8 <= high
    assert 0.88 <= hits / 200 <= 0.99


@pytest.mark.parametrize(
    "differences",
    [
        [0.3, -0.1, 0.2, 0.5, 0.4],
        [0.1, 0.1, -0.1, 0.2, 0.3, 0.3],
        [0.0, 0.1, 0.0, -0.2, 0.3, 0.4],
        [1.0],
        [0.5, 0.5, 0.5],
        [inf, 0.1, -0.2, 0.3],
    ],
)
def test_signed_rank_p_of_few_pairs_is_the_exact_one(differences: list[float]) -> None:
    assert signed_rank(np.array(differences)) == pytest.approx(enumerated_p(differences))


@pytest.mark.parametrize("decimals", [6, 2, 1])
def test_signed_rank_p_of_many_pairs_is_that_of_scipy(decimals: int) -> None:
    differences = (OTHERS - VALUES).round(decimals)
    tied = np.unique(np.abs(differences[differences != 0])).size < (differences != 0).sum()
    expected = stats.wilcoxon(
        differences[differences != 0], method="asymptotic" if tied else "exact"
    ).pvalue
    assert signed_rank(differences) == pytest.approx(expected)


def test_effect_of_a_small_case_is_the_one_worked_out_by_hand() -> None:
    # Ranks 1, 2, 3, 4 of 0.1, 0.2, 0.3, 0.4; the second is negative: (8 - 2) / 10.
    assert rank_biserial(np.array([0.1, -0.2, 0.3, 0.4, 0.0])) == pytest.approx(0.6)
    assert rank_biserial(np.array([1.0, 2.0])) == 1
    assert rank_biserial(np.array([-1.0, -2.0])) == -1


def test_effect_changes_its_sign_with_the_direction() -> None:
    differences = OTHERS - VALUES
    assert rank_biserial(-differences) == pytest.approx(-rank_biserial(differences))


def test_holm_is_that_of_statsmodels() -> None:
    ps = [0.01, 0.04, 0.03, 0.005, 0.5, 0.03]
    assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1])


def test_missing_p_values_are_no_members_of_the_family() -> None:
    found = holm([0.02, nan, 0.03])
    assert found[0] == pytest.approx(0.04)
    assert found[2] == pytest.approx(0.04)
    assert isnan(found[1])
    assert holm([]) == []


def test_one_pair_has_a_value_and_neither_spread_nor_interval() -> None:
    assert same(figure(sample(0.7), DICE), Figure(0.7, nan, nan, nan, 1, 0))
    found = against(sample(0.7), sample(0.6), DICE)
    assert found.difference == pytest.approx(0.1)
    assert (found.p, found.effect, found.n) == (1, 1, 1)
    assert isnan(found.low)


def test_no_pair_has_no_figure() -> None:
    assert same(figure(sample(nan, nan), DICE), Figure(nan, nan, nan, nan, 0, 0))
    expected = Against(nan, nan, nan, nan, nan, nan, 0)
    assert same(against(sample(nan, 0.5), sample(0.5, nan), DICE), expected)


def test_equal_values_have_an_interval_of_no_width_and_no_test() -> None:
    equal = sample(0.7, 0.7, 0.7)
    found = figure(equal, DICE)
    assert (found.value, found.low, found.high) == pytest.approx((0.7, 0.7, 0.7))
    assert found.sd == pytest.approx(0, abs=1e-15)
    compared = against(equal, equal, DICE)
    assert (compared.difference, compared.low, compared.high) == (0, 0, 0)
    assert isnan(compared.p)
    assert isnan(compared.effect)
    assert compared.n == 3


def test_pairs_that_either_lacks_are_left_out_of_both() -> None:
    found = against(sample(0.9, nan, 0.8, 0.7), sample(0.5, 0.1, nan, 0.6), DICE)
    assert found.n == 2
    assert found.difference == pytest.approx((0.4 + 0.1) / 2)
    assert figure(sample(0.9, nan), DICE).n == 1


def test_infinite_distances_are_told_of_and_rank_as_the_worst() -> None:
    found = figure(sample(2.0, inf, 3.0), HD95)
    assert (found.value, found.n, found.infinite) == (inf, 3, 1)
    assert isnan(found.sd)
    assert isnan(found.low)
    compared = against(sample(2.0, inf, 3.0), sample(1.0, 1.0, 1.0), HD95)
    assert compared.difference == inf
    assert compared.p == pytest.approx(enumerated_p([1.0, inf, 2.0]))
    assert compared.effect == 1


def test_two_infinite_distances_are_equally_bad() -> None:
    assert paired_differences(np.array([inf, inf, 1.0]), np.array([inf, 1.0, inf])).tolist() == [
        0,
        inf,
        -inf,
    ]
    found = against(sample(inf, 2.0), sample(inf, 1.0), HD95)
    assert (found.difference, found.n) == (0.5, 2)


def test_quantile_beside_infinities_is_finite() -> None:
    assert figure(sample(1.0, 2.0, inf, inf), METRICS["hd95_30"]).value == pytest.approx(1.9)


def test_weights_count_cases_rather_than_pairs() -> None:
    weighted = Sample(np.array([0.4, 0.7]), np.array([2.0, 1.0]))
    assert figure(weighted, METRICS["dice30_hard"]).value == pytest.approx(0.5)


def test_same_data_give_the_same_interval() -> None:
    assert figure(sample(*VALUES), DICE) == figure(sample(*VALUES), DICE)
