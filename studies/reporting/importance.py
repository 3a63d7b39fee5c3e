"""How much each parameter matters, and how far the trials at hand can say so."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import optuna
from optuna.importance import get_param_importances
from optuna.trial import FrozenTrial, create_trial

from studies.reporting.view import View

RESAMPLES = 100
FEWEST = 4
"""Complete trials below which nothing is said."""
LOW, HIGH = 0.05, 0.95
"""Quantiles over the resamples that are shown."""


@dataclass(frozen=True, slots=True)
class Importance:
    """A parameter's share of all importance, 0 to 1.

    Attributes:
        parameter: its name.
        share: of the trials as they are.
        low: 5 % quantile over bootstrap resamples of the trials.
        high: 95 % quantile.
    """

    parameter: str
    share: float
    low: float
    high: float


@lru_cache(maxsize=4)  # several figures and the page ask for the same
def importances(view: View) -> tuple[Importance, ...]:
    """The importance of all parameters, the largest first: Optuna's default, PED-ANOVA.

    Args:
        view: with several objectives, importance is that for reaching the Pareto front.

    Raises:
        ValueError: there is too little to say anything from; says what is missing.
    """
    trials = view.complete
    if len(trials) < FEWEST:
        raise ValueError(
            f"importance needs at least {FEWEST} complete trials, and there "
            f"{'is' if len(trials) == 1 else 'are'} {len(trials) or 'none'}"
        )
    names = sorted({name for trial in trials for name in trial.params})
    if len(names) < 2:
        raise ValueError(f"importance compares parameters, and there is {len(names) or 'none'}")
    if len({trial.values[0] for trial in trials}) == 1 and len(view.ways) == 1:
        raise ValueError("all complete trials have the same value, so no parameter matters")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    shares = _shares(view, trials)
    draw = np.random.default_rng(0)
    resampled = []
    for _ in range(RESAMPLES):
        chosen = draw.integers(0, len(trials), len(trials))
        some = _shares(view, [trials[at] for at in chosen])
        resampled.append([some.get(name, 0.0) for name in names])
    low, high = np.quantile(np.array(resampled), (LOW, HIGH), axis=0)
    found = [
        Importance(name, shares[name], float(low[at]), float(high[at]))
        for at, name in enumerate(names)
    ]
    return tuple(sorted(found, key=lambda one: (-one.share, one.parameter)))


def by_importance(view: View) -> list[str]:
    """All parameters, the most important first; in their own order where that cannot be said."""
    try:
        ranked = [one.parameter for one in importances(view)]
    except ValueError:
        ranked = []
    return [*ranked, *(name for name in view.parameters if name not in ranked)]


def _shares(view: View, trials: Sequence[FrozenTrial]) -> dict[str, float]:
    directions = ["maximize" if way > 0 else "minimize" for way in view.ways]
    study = optuna.create_study(directions=directions)
    # As new trials: one that was drawn twice counts twice, and Optuna counts by identity.
    study.add_trials(
        [
            create_trial(
                params=trial.params, distributions=trial.distributions, values=trial.values
            )
            for trial in trials
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a resample says nothing shows in the interval
        return get_param_importances(study)
