"""What a study agreed on, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import BaseTrial

from experiments.errors import PlainError
from studies.modes import Mode, mode_of
from studies.plan import Plan, begin, plan_of
from studies.progress import summary
from studies.space import Entries, Space
from studies.storage import open_storage
from tests.studies.bowl import bowl_plan


def wider(trial: BaseTrial) -> Entries:
    return {"x": trial.suggest_float("x", -3, 5), "y": trial.suggest_float("y", -3, 3)}


def doubled(trial: BaseTrial) -> Entries:
    return {"x": 2 * trial.suggest_float("x", -3, 3) + 1, "y": trial.suggest_float("y", -3, 3)}


PLAN = bowl_plan()
PARETO: Mode = mode_of("pareto", "cost", {})
OTHERS: list[tuple[Plan, str]] = [
    (replace(PLAN, space=Space("bowl", "", wider)), r"parameter x: high was 3.0, is 5.0"),
    (replace(PLAN, space=Space("bowl", "", doubled)), r"its middle, entries: x was 0.0, is 1.0"),
    (replace(PLAN, data="bowl 2"), r"data was 'bowl 1', is 'bowl 2'"),
    (replace(PLAN, metrics=2), r"metric definitions was 1, is 2"),
    (replace(PLAN, epochs=8), r"epochs of a training \(--budget-epochs\) was 4, is 8"),
    (replace(PLAN, overrides=("quick", "seed=1")), r"'with'\) was '', is 'quick seed=1'"),
    (replace(PLAN, mode=PARETO), r"mode was 'single', is 'pareto'"),
]


def test_same_agreement_goes_on_with_the_same_study(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "a.journal"))
    first = begin(storage, "a", PLAN)
    first.enqueue_trial({})
    assert len(begin(storage, "a", PLAN).trials) == 1
    assert plan_of(first).attributes() == PLAN.attributes()


@pytest.mark.parametrize(("other", "words"), OTHERS, ids=lambda value: str(value)[:20])
def test_another_agreement_is_refused_and_the_difference_named(
    other: Plan, words: str, tmp_path: Path
) -> None:
    storage = open_storage(str(tmp_path / "a.journal"))
    begin(storage, "a", PLAN)
    with pytest.raises(PlainError, match=words):
        begin(storage, "a", other)


def test_study_that_was_broken_off_at_its_beginning_is_begun_again(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "a.journal"))
    optuna.create_study(storage=storage, study_name="a", direction="maximize")
    study = begin(storage, "a", PLAN)
    assert PLAN.attributes().items() <= study.user_attrs.items()


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_objectives_are_named_in_a_study_of_older_code_too(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "a.journal"))
    plan = bowl_plan(mode=PARETO)
    names = ["selection/dice", "seconds_per_pair"]
    assert begin(storage, "new", plan).metric_names == names
    older = optuna.create_study(
        storage=storage, study_name="older", directions=["maximize", "minimize"]
    )
    for key, value in plan.attributes().items():
        older.set_user_attr(key, value)
    older.add_trial(optuna.trial.create_trial(values=[0.5, 1.0]))
    assert older.metric_names is None
    study = begin(storage, "older", plan)
    assert study.metric_names == names
    assert len(study.trials) == 1
    study.set_metric_names(["Dice", "seconds"])
    assert begin(storage, "older", plan).metric_names == ["Dice", "seconds"]


def test_study_without_trials_can_be_summed_up(tmp_path: Path) -> None:
    path = str(tmp_path / "a.journal")
    study = begin(open_storage(path), "a", PLAN)
    assert summary(study, path).startswith("Study a: no trial")
