"""What a search space is, and how it is told from another one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial, FixedTrial

from experiments.errors import PlainError

Entries = dict[str, Any]
"""Entries of train.py's configuration by name."""
Suggest = Callable[[BaseTrial], Entries]
Inverse = Callable[[Mapping[str, Any]], dict[str, Any]]

_PROBES = 32


@dataclass(frozen=True, slots=True)
class Space:
    """A search space.

    Attributes:
        name: Of the function.
        purpose: In one line.
        suggest: Draws a trial's parameters and makes configuration entries of them.
        inverse: From a configuration to the parameters that make its entries. Without one a
            parameter is the entry of the same name.
    """

    name: str
    purpose: str
    suggest: Suggest
    inverse: Inverse | None = None

    def parameters(self) -> dict[str, BaseDistribution]:
        """Every parameter that may be drawn, those of conditional branches included."""
        sampler = optuna.samplers.RandomSampler(seed=0)
        study = optuna.create_study(sampler=sampler)
        found: dict[str, BaseDistribution] = {}
        for _ in range(_PROBES):
            trial = study.ask()
            self.suggest(trial)
            found |= trial.distributions
        return dict(sorted(found.items()))

    def middle(self) -> tuple[dict[str, Any], Entries]:
        """The point in the middle of the space, and what is made of it."""
        parameters = {name: _middle(kind) for name, kind in self.parameters().items()}
        return parameters, self.suggest(FixedTrial(parameters))

    def settings(self) -> int:
        """How many settings there are.

        Raises:
            PlainError: They are endless.
        """
        counts = {name: settings_of(kind) for name, kind in self.parameters().items()}
        endless = [name for name, count in counts.items() if count is None]
        if endless:
            raise PlainError(
                f"space {self.name} has endlessly many settings ({', '.join(endless)}), which "
                "makes no grid: choose another sampler"
            )
        return math.prod(count for count in counts.values() if count is not None)

    def parameters_of(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The point of the space that a configuration is.

        Args:
            config: A training's resolved configuration.

        Raises:
            PlainError: It lies outside of the space, or has no such parameters.
        """
        known = self.parameters()
        point = dict(config) if self.inverse is None else self.inverse(config)
        missing = sorted(set(known) - set(point))
        if missing:
            raise PlainError(
                f"space {self.name}: parameters {', '.join(missing)} are no entries of the "
                "configuration; give the space an inverse to start it from known values"
            )
        point = {name: point[name] for name in known}
        for name, value in point.items():
            if not contains(known[name], value):
                raise PlainError(
                    f"space {self.name}: {name}={value!r} lies outside of "
                    f"{said(describe(known[name]))}"
                )
        return point

    def entries(self) -> frozenset[str]:
        """Names of the configuration entries that it sets in its middle."""
        return frozenset(self.middle()[1])


SPACES: dict[str, Space] = {}
"""All search spaces by name."""


def space(purpose: str, *, inverse: Inverse | None = None) -> Callable[[Suggest], Suggest]:
    """Make a function a search space under its own name.

    Args:
        purpose: In one line.
        inverse: See :class:`Space`.
    """

    def register(suggest: Suggest) -> Suggest:
        name = suggest.__name__
        SPACES[name] = Space(name, purpose, suggest, inverse)
        return suggest

    return register


def describe(distribution: BaseDistribution) -> dict[str, Any]:
    """A distribution in plain values."""
    if isinstance(distribution, CategoricalDistribution):
        return {"kind": "categorical", "choices": list(distribution.choices)}
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    kind = "float" if isinstance(distribution, FloatDistribution) else "int"
    return {
        "kind": kind,
        "low": distribution.low,
        "high": distribution.high,
        "log": distribution.log,
        "step": distribution.step,
    }


def said(parameter: Mapping[str, Any]) -> str:
    """A described parameter in words, as in ``0.1 to 20 (log)``."""
    if parameter["kind"] == "categorical":
        return ", ".join(map(str, parameter["choices"]))
    step = parameter["step"]
    words = " (log)" if parameter["log"] else f" in steps of {step}" if step else ""
    return f"{parameter['low']} to {parameter['high']}{words}"


def settings_of(distribution: BaseDistribution) -> int | None:
    """How many values a parameter can take; None where they are endless."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if not isinstance(distribution, FloatDistribution | IntDistribution) or not distribution.step:
        return None
    return round((distribution.high - distribution.low) / distribution.step) + 1


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a parameter may have a value."""
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    low, high, step = distribution.low, distribution.high, distribution.step
    on_grid = not step or math.isclose((value - low) / step, round((value - low) / step))
    return low <= value <= high and on_grid


def _middle(distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[len(distribution.choices) // 2]
    assert isinstance(distribution, (FloatDistribution, IntDistribution))
    low, high, step = distribution.low, distribution.high, distribution.step
    middle = math.sqrt(low * high) if distribution.log else (low + high) / 2
    if step:
        middle = low + step * ((middle - low) // step)
    return int(middle) if isinstance(distribution, IntDistribution) else middle
