"""What a study agreed on with its first command, and every later one must keep to."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.storages import BaseStorage

from experiments.errors import PlainError
from experiments.snapshot import code_version
from studies import schema, spaces
from studies.modes import Mode
from studies.space import SPACES, Space, describe

_WORDS = {
    schema.SPACE: "search space",
    schema.SEARCH_SPACE: "search space's parameter",
    schema.MAPPING: "what the search space makes of its middle,",
    schema.MODE: "mode",
    schema.AGAINST: "second objective",
    schema.LIMITS: "limit on",
    schema.OVERRIDES: "configuration (after 'with')",
    schema.BUDGET_EPOCHS: "epochs of a training (--budget-epochs)",
    schema.DATA: "data",
    schema.METRICS: "metric definitions",
}
"""What may not change within a study, in words."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A study's agreement.

    Attributes:
        space: Search space.
        mode: What is optimised.
        overrides: Arguments of train.py that all trials share.
        epochs: Of a whole training.
        data: Data set and fingerprint.
        metrics: Version of the metrics' definitions.
        pruner: ``none``, or the settings of successive halving.
    """

    space: Space
    mode: Mode
    overrides: tuple[str, ...]
    epochs: int
    data: str
    metrics: int
    pruner: str | Mapping[str, Any]

    @property
    def given(self) -> frozenset[str]:
        """Names of the entries that ``overrides`` set one by one."""
        return frozenset(word.partition("=")[0] for word in self.overrides if "=" in word)

    def attributes(self) -> dict[str, Any]:
        """What a study stores of it, by name, in values as JSON has them."""
        parameters, entries = self.space.middle()
        return {
            schema.SPACE: self.space.name,
            schema.SEARCH_SPACE: {
                name: describe(kind) for name, kind in self.space.parameters().items()
            },
            schema.MAPPING: {"parameters": parameters, "entries": entries},
            schema.MODE: self.mode.name,
            schema.AGAINST: self.mode.against,
            schema.OBJECTIVES: list(self.mode.objectives),
            schema.LIMITS: dict(self.mode.limits),
            schema.PRUNER: self.pruner,
            schema.OVERRIDES: list(self.overrides),
            schema.BUDGET_EPOCHS: self.epochs,
            schema.DATA: self.data,
            schema.METRICS: self.metrics,
        }


def find_space(name: str) -> Space:
    """A search space by name.

    Raises:
        PlainError: There is none, and which there are.
    """
    assert spaces  # its functions are those of SPACES
    if name not in SPACES:
        known = "\n".join(f"  {one.name:14} {one.purpose}" for one in SPACES.values())
        raise PlainError(f"no search space {name!r}; there are:\n{known}")
    return SPACES[name]


def plan_of(study: optuna.Study) -> Plan:
    """The agreement of a study that is there, with its search space as it is now.

    Raises:
        PlainError: It was not made here, or its search space exists no more.
    """
    kept = study.user_attrs
    if schema.SPACE not in kept:
        raise PlainError(f"study {study.study_name} was not made by studies/search.py")
    return Plan(
        space=find_space(kept[schema.SPACE]),
        mode=Mode(kept[schema.MODE], kept[schema.AGAINST], kept[schema.LIMITS]),
        overrides=tuple(kept[schema.OVERRIDES]),
        epochs=kept[schema.BUDGET_EPOCHS],
        data=kept[schema.DATA],
        metrics=kept[schema.METRICS],
        pruner=kept[schema.PRUNER],
    )


def begin(storage: BaseStorage, name: str, plan: Plan) -> optuna.Study:
    """Make a study, or go on with the one of that name.

    Raises:
        PlainError: The one of that name agreed on something else, naming what.
    """
    wanted = plan.attributes()
    directions = list(plan.mode.directions)
    try:
        study = optuna.create_study(storage=storage, study_name=name, directions=directions)
    except DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=name)
    if schema.SPACE in study.user_attrs:
        refuse_differences(name, study.user_attrs, wanted)
        name_objectives(study, plan.mode.objectives)
        return study
    commit = code_version(Path(__file__).parent).commit
    # The space comes last: without it a study that was broken off here is begun again.
    for key, value in {**wanted, schema.CODE: commit}.items():
        if key != schema.SPACE:
            study.set_user_attr(key, value)
    name_objectives(study, plan.mode.objectives)
    study.set_user_attr(schema.SPACE, wanted[schema.SPACE])
    return study


def name_objectives(study: optuna.Study, objectives: Sequence[str]) -> None:
    """Name the objectives for Optuna's own tools, in a study of older code too.

    Args:
        study: The study; one that has names keeps them.
        objectives: Trial attributes that are the values, in order.
    """
    if study.metric_names is not None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([schema.METRIC_NAMES[name] for name in objectives])


def refuse_differences(name: str, kept: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Stop where a study began with something else than is wanted now.

    Raises:
        PlainError: Naming every difference.
    """
    lines = [
        f"  {words} {line}"
        for key, words in _WORDS.items()
        for line in _differences(kept.get(key), wanted[key])
    ]
    if lines:
        raise PlainError(
            f"study {name} began with something else, and its trials could not be compared:\n"
            + "\n".join(lines)
            + "\nGive the new one another name with --study, or repeat the study's own settings"
        )


def _differences(kept: Any, wanted: Any) -> list[str]:
    if isinstance(kept, dict) and isinstance(wanted, dict):
        return [
            f"{key}: {line.removeprefix(': ')}" if not line.startswith("was") else f"{key} {line}"
            for key in sorted({*kept, *wanted})
            for line in _differences(kept.get(key), wanted.get(key))
        ]
    return [] if kept == wanted else [f"was {_short(kept)}, is {_short(wanted)}"]


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "'" + " ".join(map(str, value)) + "'"
    return repr(value)
