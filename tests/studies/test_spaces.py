"""Search spaces: what is drawn, what is made of it, and where known settings lie in them."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.trial import BaseTrial, FixedTrial

from experiments.errors import PlainError
from studies.plan import find_space
from studies.space import SPACES, Entries, Space, contains
from studies.spaces import PUBLISHED_SUM, RATIOS

PUBLISHED = {
    **{f"weight_{term}": 0.0 for term in ("mse", "l2", "diffusion")},
    **{"weight_lcc": 1.0, "weight_dice": 1.0, "weight_l1": 0.1},
    **{
        "lcc_window": 9,
        "learning_rate": 1e-4,
        "schedule": "constant",
        "channel_multiplication": 8,
        "deep_supervision": True,
    },
    **{"norm": "instance", "classic_vnet": True, "convolutions": None},
}
"""The published configuration's entries that some space searches."""


def drawn(name: str, seed: int = 0) -> tuple[dict[str, Any], Entries]:
    sampler = optuna.samplers.RandomSampler(seed=seed)
    trial = optuna.create_study(sampler=sampler).ask()
    entries = SPACES[name].suggest(trial)
    return trial.params, entries


def test_issue_names_every_space() -> None:
    assert {"loss_weights", "lcc_window", "channels", "architecture", "full"} <= set(SPACES)


def test_common_factor_of_all_weights_changes_nothing() -> None:
    space = find_space("loss_weights")
    tripled = {
        name: 3 * value if name.startswith("weight") else value
        for name, value in PUBLISHED.items()
    }
    assert space.parameters_of(tripled) == pytest.approx(space.parameters_of(PUBLISHED))


@pytest.mark.parametrize("seed", range(5))
def test_weights_have_the_published_sum_and_the_drawn_ratios(seed: int) -> None:
    parameters, weights = drawn("loss_weights", seed)
    assert sum(weights.values()) == pytest.approx(PUBLISHED_SUM)
    for term in RATIOS:
        ratio = weights[f"weight_{term}"] / weights["weight_lcc"]
        assert ratio == pytest.approx(parameters[f"{term}_to_lcc"])


@pytest.mark.parametrize("name", ["loss_weights", "recipe"])
def test_published_values_come_back_as_they_are_with_zeros_where_there_is_no_term(
    name: str,
) -> None:
    space = find_space(name)
    entries = space.suggest(FixedTrial(space.parameters_of(PUBLISHED)))
    for name, value in entries.items():
        expected = PUBLISHED[name]
        assert value == (expected if isinstance(expected, str) else pytest.approx(expected))
    assert [entries[f"weight_{term}"] for term in ("mse", "l2", "diffusion")] == [0, 0, 0]


def test_width_beyond_the_space_is_named_and_not_bent() -> None:
    with pytest.raises(PlainError, match=r"channel_multiplication=8 lies outside of 0.5 to 4.0"):
        find_space("channels").parameters_of(PUBLISHED)


def test_weights_without_lcc_are_no_point_of_the_space() -> None:
    with pytest.raises(PlainError, match="lies outside"):
        find_space("loss_weights").parameters_of({**PUBLISHED, "weight_lcc": 0.0})


def test_full_space_is_all_others_together() -> None:
    parts = [SPACES[name] for name in ("loss_weights", "lcc_window", "channels", "architecture")]
    assert set(SPACES["full"].parameters()) == {n for part in parts for n in part.parameters()}
    assert SPACES["full"].entries() == {name for part in parts for name in part.entries()}
    point = SPACES["full"].parameters_of({**PUBLISHED, "channel_multiplication": 4})
    assert SPACES["full"].suggest(FixedTrial(point))["weight_l1"] == pytest.approx(0.1)


def test_unknown_space_is_answered_with_those_that_are_there() -> None:
    with pytest.raises(PlainError, match=r"loss_weights +what each term"):
        find_space("loss_weight")


def test_space_of_one_function_finds_its_parameters_in_every_branch() -> None:
    def branches(trial: BaseTrial) -> Entries:
        if trial.suggest_categorical("affine", [False, True]):
            return {"max_rotation": trial.suggest_float("max_rotation", 0, 30)}
        return {"flips": trial.suggest_categorical("flips", [False, True])}

    space = Space("branches", "to test", branches)
    assert set(space.parameters()) == {"affine", "flips", "max_rotation"}
    assert contains(space.parameters()["max_rotation"], 30)
    assert not contains(space.parameters()["max_rotation"], 31)
