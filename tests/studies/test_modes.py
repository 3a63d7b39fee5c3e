"""What is optimised, and whether the search finds it sooner than chance."""

from __future__ import annotations

import optuna
import pytest

from experiments.errors import PlainError
from studies.modes import halving, make_pruner, make_sampler, mode_of, worker_seed
from studies.plan import find_space

EPOCHS = 9
BUDGET = 40 * EPOCHS
"""Epochs that a search may spend."""


def test_single_mode_has_limits_and_pareto_has_none() -> None:
    single = mode_of("single", None, {"folding": 0.0, "sdlogj": None})
    assert single.limits["folding"] == 0
    assert single.limits["sdlogj"] > 0
    assert (single.objectives, single.directions) == (("dice",), ("maximize",))
    pareto = mode_of("pareto", "cost", {"folding": None})
    assert pareto.objectives == ("dice", "seconds_per_pair")
    assert pareto.directions == ("maximize", "minimize")
    assert not pareto.prunes


def test_options_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(PlainError, match="--against goes with"):
        mode_of("single", "cost", {})
    with pytest.raises(PlainError, match="limits are for"):
        mode_of("pareto", None, {"folding": 0.1})
    with pytest.raises(PlainError, match="sampler must be tpe, gp, random"):
        make_sampler("best", 0)


@pytest.mark.parametrize(("epochs", "every", "first"), [(600, 1, 67), (26, 2, 4), (9, 1, 1)])
def test_first_rung_is_an_evaluation_at_a_ninth_of_the_training(
    epochs: int, every: int, first: int
) -> None:
    single = mode_of("single", None, {})
    assert halving(single, epochs, every) == {"min_resource": first, "reduction_factor": 3}


def test_nothing_is_pruned_in_a_training_of_one_evaluation_or_on_a_front() -> None:
    assert halving(mode_of("single", None, {}), 2, 2) is None
    assert halving(mode_of("pareto", None, {}), 600, 1) is None


def test_seeds_differ_by_worker_and_by_start_and_repeat_otherwise() -> None:
    seeds = {worker_seed(0, worker, trials) for worker in range(4) for trials in (0, 20)}
    assert len(seeds) == 8
    assert worker_seed(0, 1, 2) == worker_seed(0, 1, 2)
    assert worker_seed(None, 0, 0) != worker_seed(None, 0, 0)


def dice(point: tuple[float, float, float], epoch: int) -> float:
    """A bowl with its highest point, 0, at (0.7, -0.4, 0.2), and a training that comes to it."""
    distance = sum((x - best) ** 2 for x, best in zip(point, (0.7, -0.4, 0.2), strict=True))
    return -distance - 0.3 * (1 - epoch / EPOCHS)


def search(sampler: str, pruned: bool, seed: int) -> float:
    """The best value that a search finds within ``BUDGET`` epochs."""
    settings = {"min_resource": 1, "reduction_factor": 3} if pruned else None
    study = optuna.create_study(
        direction="maximize",
        sampler=make_sampler(sampler, seed),
        pruner=make_pruner(settings),
    )
    spent, best = 0, float("-inf")
    while spent < BUDGET:
        trial = study.ask()
        x, y, z = (trial.suggest_float(name, -2, 2) for name in "xyz")
        state = optuna.trial.TrialState.COMPLETE
        for epoch in range(1, EPOCHS + 1):
            spent += 1
            value = dice((x, y, z), epoch)
            trial.report(value, epoch)
            if epoch < EPOCHS and trial.should_prune():
                state = optuna.trial.TrialState.PRUNED
                break
        finished = state == optuna.trial.TrialState.COMPLETE
        study.tell(trial, value if finished else None, state=state)
        best = max(best, value) if finished else best
    return best


def test_default_search_beats_chance_at_equal_compute_in_eight_of_ten_seeds() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    wins = [search("tpe", True, seed) > search("random", False, seed) for seed in range(10)]
    assert sum(wins) >= 8, wins


def test_a_grid_takes_every_setting_once() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    width = find_space("channels").suggest
    for worker in range(8):  # each with a seed of its own
        study.sampler = make_sampler("grid", worker)
        study.optimize(lambda trial: width(trial)["channel_multiplication"], n_trials=1)
    assert sorted(study.get_trials()[i].value for i in range(8)) == [n / 2 for n in range(1, 9)]


def test_gaussian_process_can_be_chosen() -> None:
    assert isinstance(make_sampler("gp", 0), optuna.samplers.GPSampler)
