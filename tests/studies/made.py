"""Studies made with Optuna itself, under the names that the search stores."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import log10
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from studies import schema
from studies.plan import name_objectives
from studies.storage import open_storage

BEGIN = datetime(2026, 1, 2, 3, 4, 5)
SPACE: dict[str, BaseDistribution] = {
    "weight_lcc": FloatDistribution(0.01, 10, log=True),
    "weight_l1": FloatDistribution(0.001, 1, log=True),
    "lcc_window": IntDistribution(3, 11, step=2),
    "norm": CategoricalDistribution(["instance", "batch", "none"]),
    "channel_multiplication": FloatDistribution(0.5, 4, log=True),
}


def new_study(
    folder: Path | None, name: str = "weights", *, objectives: tuple[str, ...] = (schema.DICE,)
) -> optuna.Study:
    """An empty study in a journal file of its own, or in memory."""
    directions = ["maximize" if one == schema.DICE else "minimize" for one in objectives]
    storage = None if folder is None else open_storage(str(folder / f"{name}.journal"))
    study = optuna.create_study(storage=storage, study_name=name, directions=directions)
    about: dict[str, Any] = {
        schema.SPACE: "loss_weights",
        schema.MODE: schema.SINGLE if len(objectives) == 1 else schema.PARETO,
        schema.OBJECTIVES: list(objectives),
        schema.OVERRIDES: ["quick", "synthetic", "threads=1"],
        schema.BUDGET_EPOCHS: 9,
        schema.DATA: "synthetic f00d",
        schema.CODE: "0123456789abcdef",
        schema.LIMITS: {schema.FOLDING: 0.01},
        schema.SEARCH_SPACE: {
            "weight_lcc": {"kind": "float", "low": 0.01, "high": 10, "log": True},
            "norm": {"kind": "categorical", "choices": ["instance", "batch", "none"]},
        },
    }
    for key, value in about.items():
        study.set_user_attr(key, value)
    name_objectives(study, objectives)
    return study


def params(number: int) -> dict[str, Any]:
    """Parameters spread over the space; every third trial has none of the last two."""
    drawn = (number * 0.6180339887) % 1, (number * 0.7548776662) % 1
    found = {"weight_lcc": 10 ** (3 * drawn[0] - 2), "weight_l1": 10 ** (3 * drawn[1] - 3)}
    if number % 3:
        found |= {"lcc_window": 3 + 2 * (number % 5), "norm": ["instance", "batch"][number % 2]}
    return found


def dice_of(found: dict[str, Any]) -> float:
    """Best at weight_lcc = 1; the others hardly matter."""
    return 0.8 - 0.1 * log10(found["weight_lcc"]) ** 2 - 0.005 * log10(found["weight_l1"]) ** 2


def trial(
    number: int,
    state: TrialState = TrialState.COMPLETE,
    values: list[float] | None = None,
    **options: Any,
) -> FrozenTrial:
    """One trial of :data:`SPACE` with what the search stores of it."""
    found = options.pop("params", params(number))
    dice = values[0] if values else dice_of(found)
    attributes = {
        schema.RUN: str(100 + number),
        schema.DICE: dice,
        schema.SDLOGJ: 0.05,
        schema.SECONDS_PER_PAIR: 0.02 * (1 + number % 7),
        schema.EPOCHS: 9,
        schema.PROCESS: {"host": "here", "pid": number % 2, "started": "once"},
        **options.pop("attributes", {}),
    }
    if state == TrialState.COMPLETE and values is None:
        values = [dice]
    one = len(values or [0]) == 1
    last = 9 if state == TrialState.COMPLETE else 3
    reported = {epoch: dice - 0.3 / epoch for epoch in range(1, last + 1)} if one else {}
    made = create_trial(
        state=state,
        params=found,
        distributions={key: SPACE[key] for key in found},
        values=values,
        user_attrs=attributes,
        intermediate_values=reported,
        **options,
    )
    made.datetime_start = BEGIN + timedelta(minutes=10 * (number // 2))
    if state.is_finished():
        made.datetime_complete = made.datetime_start + timedelta(minutes=last)
    return made


def whole(folder: Path | None = None, count: int = 30) -> optuna.Study:
    """A study of one objective with trials of every kind."""
    study = new_study(folder)
    for number in range(count):
        state = TrialState.PRUNED if number % 4 == 3 else TrialState.COMPLETE
        over = 0.005 if number % 11 == 5 else -0.005
        constraints = {schema.FOLDING: over} if state == TrialState.COMPLETE else None
        study.add_trial(trial(number, state, constraints=constraints))
    study.add_trial(
        trial(count, TrialState.FAIL, attributes={schema.FAILED: "no <b>memory</b> left"})
    )
    study.add_trial(trial(count + 1, TrialState.FAIL))
    study.add_trial(
        trial(count + 2, attributes={schema.RETRY_OF: count + 1, schema.WARM: "published"})
    )
    return study


def pareto(folder: Path | None = None, count: int = 24) -> optuna.Study:
    """A study of Dice against SDlogJ."""
    study = new_study(folder, "pareto", objectives=(schema.DICE, schema.SDLOGJ))
    for number in range(count):
        found = params(number)
        smoothness = 0.06 + 0.02 * log10(found["weight_lcc"])
        study.add_trial(trial(number, values=[dice_of(found), smoothness]))
    return study


def channels(folder: Path | None = None) -> optuna.Study:
    """Dice that saturates while the cost doubles, so that the knee is at 1."""
    study = new_study(folder, "channels")
    for number, (width, dice) in enumerate(
        [(0.5, 0.70), (1, 0.78), (2, 0.79), (4, 0.795), (3, 0.75)]
    ):
        attributes = {schema.DICE: dice, schema.SECONDS_PER_PAIR: 0.05 * width}
        study.add_trial(
            trial(
                number,
                values=[dice],
                params={"channel_multiplication": float(width)},
                attributes=attributes,
            )
        )
    return study
