"""Where a study starts from: the published settings, or the best of another study."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from experiments.configuration import resolve
from experiments.errors import PlainError
from studies.modes import feasible
from studies.schema import DICE, LIMITS, OVERRIDES, WARM
from studies.space import Space, contains
from studies.storage import load_study
from studies.trials import counted

PUBLISHED = "published"
OWN = "own"
MOST = 5
"""Trials that are taken from another study."""


def warm_start(study: optuna.Study, space: Space, source: str, storage: BaseStorage) -> int:
    """Ask for trials of known parameters, before all that are sampled.

    Args:
        study: Gets the trials.
        space: Of the study.
        source: ``published`` (the published configuration), ``own`` (the study's own one, as
            train.py would take it), or the name of another study of the same storage.
        storage: Of both studies.

    Returns:
        How many are new; one that the study has already is not asked for again.

    Raises:
        PlainError: There is no such study, or nothing of it fits the space.
    """
    if source in (PUBLISHED, OWN):
        arguments = () if source == PUBLISHED else study.user_attrs[OVERRIDES]
        points = {source: space.parameters_of(resolve(arguments).config)}
    else:
        points = _best_of(load_study(storage, source), source, space)
    there = {trial.user_attrs.get(WARM) for trial in study.get_trials(deepcopy=False)}
    new = {name: point for name, point in points.items() if name not in there}
    for name, point in new.items():
        study.enqueue_trial(point, user_attrs={WARM: name})
    return len(new)


def _best_of(other: optuna.Study, name: str, space: Space) -> dict[str, dict[str, Any]]:
    known = space.parameters()
    done = [
        trial
        for trial in counted(other.get_trials(deepcopy=False))
        if trial.state == TrialState.COMPLETE
    ]
    fitting = [
        trial
        for trial in done
        if set(known) <= set(trial.params)
        and all(contains(kind, trial.params[key]) for key, kind in known.items())
    ]
    if not fitting:
        raise PlainError(
            f"nothing to start from in study {name}: of its {len(done)} finished trials none has "
            f"{', '.join(known)} within the ranges of space {space.name}"
        )
    limits = other.user_attrs.get(LIMITS) or {}

    def rank(trial: FrozenTrial) -> tuple[bool, float]:
        return feasible(trial.user_attrs, limits), trial.user_attrs.get(DICE, float("-inf"))

    best = sorted(fitting, key=rank, reverse=True)[:MOST]
    return {f"{name}/{trial.number}": {key: trial.params[key] for key in known} for trial in best}
