"""The rank score is the challenge's, by the test of its code and by the paired one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from results.ranking import TESTS, Test, losses, rank_scores, spread_places

RNG = np.random.default_rng(5)
HARDNESS = RNG.normal(0, 0.08, (1, 30, 2))
DICE = 0.7 + HARDNESS + np.array([0, 0.005, 0.01, 0.1])[:, None, None]
DICE = DICE + RNG.normal(0, 0.01, DICE.shape)
HD95 = 10 * (1 - DICE)
SDLOGJ = np.abs(RNG.normal(0.06, 0.01, (4, 30, 1)))


def p_and_sign(a: np.ndarray, b: np.ndarray, test: Test) -> tuple[float, float]:
    if test == "rank-sum":
        found = stats.ranksums(a, b)
        return float(found.pvalue), float(found.statistic)
    some = (a - b)[a != b]
    p = stats.wilcoxon(some, method="asymptotic").pvalue
    return float(p), float((np.sign(some) * stats.rankdata(np.abs(some))).sum())


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("decimals", [9, 2])
def test_comparisons_lost_are_those_of_scipy(test: Test, decimals: int) -> None:
    cases = DICE.reshape(4, -1).round(decimals)
    expected = [
        sum(
            p < 0.05 and sign > 0
            for j in range(4)
            if j != i
            for p, sign in [p_and_sign(cases[j], cases[i], test)]
        )
        for i in range(4)
    ]
    assert losses(cases[:, None], test)[0].tolist() == expected


def test_paired_test_finds_what_the_unpaired_one_misses() -> None:
    cases = DICE.reshape(4, 1, -1)
    assert losses(cases, "signed-rank")[0, 0] > losses(cases, "rank-sum")[0, 0]


def test_places_are_spread_from_a_tenth_to_one_and_equal_ones_share() -> None:
    # Lost 3, 0, 1, 1: the last has 0.1, the first 1, the others the mean of 0.4 and 0.7.
    assert spread_places(np.array([[3, 0, 1, 1]]))[0] == pytest.approx([0.1, 1.0, 0.55, 0.55])


def test_methods_that_do_not_differ_all_share_one_score() -> None:
    assert spread_places(np.zeros((1, 3), dtype=int))[0] == pytest.approx([0.55] * 3)


@pytest.mark.parametrize("test", TESTS)
def test_score_is_the_geometric_mean_over_the_metrics(test: Test) -> None:
    found = rank_scores(DICE, HD95, SDLOGJ, HARDNESS, test)
    assert set(found.metrics) == {"dice", "dice30_hard", "hd95", "sdlogj"}
    product = np.prod(list(found.metrics.values()), axis=0)
    assert found.score == pytest.approx(product**0.25)
    assert sorted(found.place) == sorted(stats.rankdata(-found.score.round(9), method="min"))
    assert np.all(found.low <= found.place)
    assert np.all(found.place <= found.high)


def test_clear_winner_stays_first_and_equal_methods_take_turns() -> None:
    twins = np.concatenate([DICE[:1], DICE[:1] + RNG.normal(0, 0.01, DICE[:1].shape), DICE[3:]])
    found = rank_scores(twins, 10 * (1 - twins), SDLOGJ[[0, 0, 0]], HARDNESS, "signed-rank")
    assert found.first[2] == 1
    assert found.high[0] >= 2


def test_no_registration_is_worst_in_smoothness_and_lost_labels_cost_ten_voxels() -> None:
    sdlogj = SDLOGJ.copy()
    sdlogj[0] = np.nan
    hd95 = HD95.copy()
    hd95[1, :20] = np.inf
    found = rank_scores(DICE, hd95, sdlogj, HARDNESS, "rank-sum")
    assert found.metrics["sdlogj"].argmin() == 0
    assert found.metrics["hd95"].argmin() == 1


def test_same_data_give_the_same_stability() -> None:
    first, second = (rank_scores(DICE, HD95, SDLOGJ, HARDNESS, "rank-sum") for _ in range(2))
    assert first.first.tolist() == second.first.tolist()


def test_one_method_has_no_rank() -> None:
    with pytest.raises(ValueError, match="at least two methods, got 1"):
        rank_scores(DICE[:1], HD95[:1], SDLOGJ[:1], HARDNESS, "rank-sum")
