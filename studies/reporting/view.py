"""A study as its report needs it: what became of each trial, and which ones are best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState

from studies import schema

COMPLETE, OVER, PRUNED, FAILED = "complete", "over a limit", "pruned", "failed"
BROKEN, RUNNING, QUEUED = "broken off", "running", "queued"
KINDS = (COMPLETE, OVER, PRUNED, FAILED, BROKEN, RUNNING, QUEUED)
"""What may have become of a trial, in the order in which it is told."""

TITLES = {
    schema.DICE: "Dice",
    schema.SDLOGJ: "SDlogJ",
    schema.FOLDING: "folding share",
    schema.SECONDS_PER_PAIR: "seconds per pair",
    schema.MEMORY_MB: "memory in MB",
}


@dataclass(frozen=True, eq=False)
class View:
    """A study at one moment; equal to itself alone.

    Attributes:
        name: of the study.
        ways: of each objective, 1 where larger is better and -1 where smaller is.
        trials: all of them by ascending number.
        about: the study's attributes; see :mod:`studies.schema`.
    """

    name: str
    ways: tuple[int, ...]
    trials: tuple[FrozenTrial, ...]
    about: Mapping[str, Any]

    @staticmethod
    def of(study: optuna.Study) -> View:
        """The study as it is now."""
        larger = optuna.study.StudyDirection.MAXIMIZE
        ways = tuple(1 if direction == larger else -1 for direction in study.directions)
        trials = sorted(study.get_trials(deepcopy=False), key=lambda trial: trial.number)
        return View(study.study_name, ways, tuple(trials), dict(study.user_attrs))

    @cached_property
    def objectives(self) -> tuple[str, ...]:
        """What each objective is called."""
        names = self.about.get(schema.OBJECTIVES) or []
        if len(names) == len(self.ways):
            return tuple(TITLES.get(name, str(name)) for name in names)
        if len(self.ways) == 1:
            return ("value",)
        return tuple(f"value {place}" for place in range(1, len(self.ways) + 1))

    @cached_property
    def complete(self) -> tuple[FrozenTrial, ...]:
        """The trials with values that are numbers, feasible or not."""
        return tuple(trial for trial in self.trials if kind(trial) in (COMPLETE, OVER))

    @cached_property
    def feasible(self) -> tuple[FrozenTrial, ...]:
        """The complete trials that keep all limits."""
        return tuple(trial for trial in self.complete if kind(trial) == COMPLETE)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of all parameters, in the order of the search space, else of their appearance."""
        space = self.about.get(schema.SEARCH_SPACE) or {}
        asked = dict.fromkeys(name for trial in self.trials for name in trial.params)
        return tuple(sorted(asked, key=lambda name: name not in space))

    @cached_property
    def best(self) -> tuple[FrozenTrial, ...]:
        """The best trial, or the Pareto front by its first objective; none without a feasible one.

        Of equal trials the first one counts.
        """
        if len(self.ways) == 1:
            return tuple(sorted(self.feasible, key=self.gains, reverse=True)[:1])
        gains = {trial.number: self.gains(trial) for trial in self.feasible}
        kept = []
        for trial in self.feasible:
            mine = gains[trial.number]
            others = (gains[other.number] for other in self.feasible if other is not trial)
            earlier = any(gains[other.number] == mine for other in kept)
            if not earlier and not any(_beats(theirs, mine) for theirs in others):
                kept.append(trial)
        return tuple(sorted(kept, key=lambda trial: gains[trial.number], reverse=True))

    def gains(self, trial: FrozenTrial) -> tuple[float, ...]:
        """The values of a complete trial, signed so that more is better."""
        return tuple(way * value for way, value in zip(self.ways, trial.values, strict=True))

    def count(self, *kinds: str) -> int:
        """How many trials came to one of ``kinds``."""
        return sum(kind(trial) in kinds for trial in self.trials)

    def having(self, *names: str) -> tuple[FrozenTrial, ...]:
        """The complete trials with all of these parameters."""
        return tuple(t for t in self.complete if all(name in t.params for name in names))


def kind(trial: FrozenTrial) -> str:
    """What became of a trial, one of :data:`KINDS`."""
    if trial.state == TrialState.COMPLETE:
        if not all(isfinite(value) for value in trial.values):
            return FAILED
        return OVER if any(value > 0 for value in trial.constraints.values()) else COMPLETE
    if trial.state == TrialState.FAIL:
        return FAILED if schema.FAILED in trial.user_attrs else BROKEN
    return {TrialState.PRUNED: PRUNED, TrialState.RUNNING: RUNNING}.get(trial.state, QUEUED)


def label(trial: FrozenTrial) -> str:
    """What a trial is called in figures: its run, else its number."""
    run = trial.user_attrs.get(schema.RUN)
    return f"trial {trial.number}" if run is None else f"run {run}"


def distribution(trials: Sequence[FrozenTrial], name: str) -> BaseDistribution:
    """How a parameter was drawn; by the newest trial where the study was extended."""
    return next(t.distributions[name] for t in reversed(trials) if name in t.distributions)


def is_categorical(trials: Sequence[FrozenTrial], name: str) -> bool:
    """Whether a parameter's values are words rather than numbers."""
    return isinstance(distribution(trials, name), CategoricalDistribution)


def _beats(theirs: tuple[float, ...], mine: tuple[float, ...]) -> bool:
    return theirs != mine and all(a >= b for a, b in zip(theirs, mine, strict=True))
