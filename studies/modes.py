"""What a study looks for, and how: objectives, limits, samplers and pruning."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import (
    BaseSampler,
    BruteForceSampler,
    GPSampler,
    RandomSampler,
    TPESampler,
)

from experiments.errors import PlainError
from studies.schema import DICE, FOLDING, PARETO, SDLOGJ, SECONDS_PER_PAIR, SINGLE

AGAINST = {"sdlogj": SDLOGJ, "cost": SECONDS_PER_PAIR}
"""What mode ``pareto`` may set Dice against, and the trial attribute that it is."""

MAX_FOLDING = 0.001
"""Largest share of folded voxels of a feasible trial, unless said otherwise: 0.1 %."""
MAX_SDLOGJ = 0.1
"""Largest SDlogJ of a feasible trial: the published models have up to 0.093."""

REDUCTION = 3
"""At each rung of successive halving one of three trials goes on."""
_RUNGS = 3


@dataclass(frozen=True, slots=True)
class Mode:
    """What is optimised.

    Attributes:
        name: ``single`` or ``pareto``.
        against: See :data:`AGAINST`; None in mode ``single``.
        limits: Largest values of trial attributes in mode ``single``.
    """

    name: str
    against: str | None
    limits: Mapping[str, float]

    def __post_init__(self) -> None:
        if self.name not in (SINGLE, PARETO):
            raise PlainError(f"mode must be {SINGLE} or {PARETO}, got {self.name!r}")
        if (self.name == PARETO) != (self.against is not None):
            raise PlainError("--against goes with --mode pareto, and with no other")
        if self.against is not None and self.against not in AGAINST:
            raise PlainError(f"--against must be {' or '.join(AGAINST)}, got {self.against!r}")

    @property
    def objectives(self) -> tuple[str, ...]:
        """Trial attributes that are the values, in order."""
        return (DICE,) if self.against is None else (DICE, AGAINST[self.against])

    @property
    def directions(self) -> tuple[str, ...]:
        """Dice is maximised, everything else minimised."""
        return ("maximize", "minimize")[: len(self.objectives)]

    @property
    def prunes(self) -> bool:
        """Whether trials may end early; Optuna knows no pruning with several objectives."""
        return self.name == SINGLE


def mode_of(name: str, against: str | None, limits: Mapping[str, float | None]) -> Mode:
    """The mode that a command line asks for, with the usual limits where it names none.

    Raises:
        PlainError: The options do not go together.
    """
    if name == PARETO:
        if any(value is not None for value in limits.values()):
            raise PlainError("limits are for --mode single: a front shows what they would cut off")
        return Mode(name, against or "sdlogj", {})
    usual = {FOLDING: MAX_FOLDING, SDLOGJ: MAX_SDLOGJ}
    given = {key: value for key, value in limits.items() if value is not None}
    return Mode(name, against, usual | given)


def halving(mode: Mode, epochs: int, every: int) -> dict[str, int] | None:
    """Settings of successive halving over ``epochs`` that are evaluated ``every`` so many.

    The rungs are at thirds of thirds of the training: at 1/9 and 1/3 of it. The first rung falls
    on an evaluation. None where the mode does not prune, or a training has too few evaluations.
    """
    first = every * math.ceil(epochs / REDUCTION ** (_RUNGS - 1) / every)
    if not mode.prunes or first >= epochs:
        return None
    return {"min_resource": first, "reduction_factor": REDUCTION}


def make_pruner(settings: Mapping[str, int] | None) -> BasePruner:
    """Successive halving with given settings; None prunes nothing."""
    if settings is None:
        return NopPruner()
    return SuccessiveHalvingPruner(
        min_resource=settings["min_resource"], reduction_factor=settings["reduction_factor"]
    )


def make_sampler(name: str, seed: int) -> BaseSampler:
    """A sampler by name.

    Raises:
        PlainError: There is no such sampler.
    """
    if name == "tpe":
        return TPESampler(seed=seed)
    if name == "gp":
        return GPSampler(seed=seed)
    if name == "random":
        return RandomSampler(seed=seed)
    if name == "grid":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return BruteForceSampler(seed=seed)
    raise PlainError(f"sampler must be {', '.join(SAMPLERS)}, got {name!r}")


SAMPLERS = ("tpe", "gp", "random", "grid")
"""Of these, grid takes every setting of a finite space once, in random order."""


def worker_seed(seed: int | None, worker: int, trials: int) -> int:
    """A seed of its own for each worker at each start.

    Workers of one seed would draw the same first trials, and so would a study that goes on or a
    worker in the place of one that was killed.

    Args:
        seed: Of the study; None for another one every time.
        worker: Number of the worker.
        trials: That were begun so far, by any worker.
    """
    entropy = None if seed is None else [seed, worker, trials]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def feasible(attributes: Mapping[str, Any], limits: Mapping[str, float]) -> bool:
    """Whether a trial's attributes keep the limits."""
    return all(attributes.get(name, math.inf) <= limit for name, limit in limits.items())


def quiet_optuna() -> None:
    """Let studies speak for themselves."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
