"""Learning rates."""

from __future__ import annotations

import pytest

from hipreg.training import SCHEDULES, learning_rate


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_rates_lie_between_zero_and_the_base_and_reach_it(schedule: str) -> None:
    rates = [learning_rate(schedule, 0.1, step / 100) for step in range(100)]
    assert all(0 < rate <= 0.1 for rate in rates)
    assert max(rates) == pytest.approx(0.1, rel=1e-3)


def test_constant_never_changes_and_cosine_ends_near_zero() -> None:
    assert learning_rate("constant", 0.1, 0.99) == 0.1
    assert learning_rate("cosine", 0.1, 0.99) < 1e-3
    assert learning_rate("cosine", 0.1, 0.5) == pytest.approx(0.05)


def test_unknown_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="constant"):
        learning_rate("step", 0.1, 0)
