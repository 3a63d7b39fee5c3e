"""What a report knows of a study: states, the best, importance, and the knee."""

from __future__ import annotations

import math

import pytest
from optuna.trial import TrialState

from studies import schema
from studies.reporting.importance import by_importance, importances
from studies.reporting.knee import front, knee
from studies.reporting.tables import commands, duration, summary, trials_grid
from studies.reporting.view import BROKEN, COMPLETE, FAILED, OVER, PRUNED, View
from tests.studies.made import dice_of, new_study, params, pareto, trial, whole


def test_every_trial_is_told_by_what_became_of_it() -> None:
    view = View.of(whole())
    assert [view.count(what) for what in (OVER, PRUNED, FAILED, BROKEN)] == [2, 7, 1, 1]
    assert view.count(COMPLETE) == len(view.feasible) == 22
    states = [row[2] for row in trials_grid(view).rows]
    assert (states[31].text, states[31].under) == ("broken off", "goes on as 32")
    assert (states[5].text, states[5].under) == ("over a limit", "folding")
    assert states[32].under == "from published"


def test_best_trial_is_the_highest_that_keeps_the_limits() -> None:
    study = new_study(None)
    study.add_trial(trial(0, values=[0.9], constraints={schema.FOLDING: 0.1}))
    study.add_trial(trial(1, values=[0.7], constraints={schema.FOLDING: -0.1}))
    study.add_trial(trial(2, values=[0.8], constraints={schema.FOLDING: 0.0}))
    study.add_trial(trial(3, values=[0.8]))
    assert [found.number for found in View.of(study).best] == [2]


def test_value_that_is_no_number_is_a_failure() -> None:
    study = new_study(None)
    study.add_trial(trial(0, values=[math.inf]))
    view = View.of(study)
    assert (view.count(FAILED), view.complete, view.best) == (1, (), ())


def test_front_holds_the_trials_that_none_beats() -> None:
    study = new_study(None, objectives=(schema.DICE, schema.SDLOGJ))
    for number, values in enumerate([[0.8, 0.06], [0.7, 0.04], [0.7, 0.05], [0.8, 0.06]]):
        study.add_trial(trial(number, values=values))
    assert [found.number for found in View.of(study).best] == [0, 1]


def test_importance_finds_the_parameter_that_decides_and_says_how_surely() -> None:
    found = importances(View.of(whole(count=60)))
    assert found[0].parameter == "weight_lcc"
    assert sum(one.share for one in found) == pytest.approx(1)
    assert all(0 <= one.low <= one.high <= 1 for one in found)
    assert found[0].high - found[0].low > 0.01
    assert found[0].low > found[-1].high


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_trials_say_nothing_of_importance(count: int) -> None:
    study = new_study(None)
    study.add_trials([trial(number) for number in range(count)])
    with pytest.raises(ValueError, match="at least 4 complete trials"):
        importances(View.of(study))
    assert set(by_importance(View.of(study))) == {name for n in range(count) for name in params(n)}


def test_knee_is_where_the_front_bends() -> None:
    # In log cost equally far apart: 0.78 lies 0.5 of the height above the line, 0.79 less.
    points = [(1.0, 0.70), (2.0, 0.78), (4.0, 0.79), (8.0, 0.80), (6.0, 0.72)]
    assert front(points) == [0, 1, 2, 3]
    assert knee(points) == 1
    assert knee([(3600 * cost, gain) for cost, gain in points]) == 1


def test_straight_or_short_or_hollow_front_has_no_knee() -> None:
    assert knee([(1.0, 0.1), (2.0, 0.2)]) is None
    assert knee([(1.0, 0.1), (2.0, 0.2), (4.0, 0.3)]) is None
    assert knee([(1.0, 0.1), (2.0, 0.11), (4.0, 0.3)]) is None


def test_command_repeats_the_training_of_a_trial() -> None:
    study = new_study(None)
    entries = {"weight_lcc": 0.25, "norm": "batch"}
    study.add_trial(trial(0, attributes={schema.ENTRIES: entries}))
    view = View.of(study)
    assert commands(view, view.trials[0]) == [
        "git checkout 0123456789abcdef",
        "python experiments/train.py with quick synthetic threads=1 weight_lcc=0.25 "
        "'norm='\"'\"'batch'\"'\"'' epochs=9 max_minutes=None",
    ]


def test_summary_says_why_there_is_no_best() -> None:
    study = new_study(None)
    assert summary(View.of(study)) == "The study has no trials yet."
    study.add_trial(trial(0, TrialState.PRUNED))
    assert summary(View.of(study)).startswith("1 trial: 1 pruned. None has come to its end")
    study.add_trial(trial(1, constraints={schema.FOLDING: 1.0}))
    assert "None keeps all limits" in summary(View.of(study))


def test_values_of_made_trials_are_known() -> None:
    assert dice_of({"weight_lcc": 1.0, "weight_l1": 1.0}) == pytest.approx(0.8)
    assert len(View.of(pareto()).best) > 2


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "-"), (3.21, "3.2 s"), (125, "2 min 05 s"), (7261, "2 h 01 min")]
)
def test_durations_are_told_in_two_units(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words
