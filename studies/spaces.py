"""The search spaces. A new one is one function here, with ``@space`` and its purpose above it.

It draws parameters from the trial and returns entries of train.py's configuration. A parameter
that is an entry has the entry's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optuna.trial import BaseTrial

from studies.space import Entries, space

PUBLISHED_SUM = 2.1
"""Sum of the published weights: 1 of LCC, 1 of Dice, 0.1 of L1."""

RATIOS = {
    "mse": (1e-1, 1e3),  # of images in [0, 1] it is a hundredth of 1 - LCC
    "dice": (1e-1, 3e1),
    "l1": (1e-3, 1e1),
    "l2": (1e-3, 1e1),
    "diffusion": (1e-2, 3e1),
}
"""Least and largest weight of each term in units of LCC's. The least leaves the term out."""


def _ratios(config: Mapping[str, Any]) -> dict[str, Any]:
    """The ratios of a configuration's weights; a term without weight has the least."""
    lcc = config["weight_lcc"]
    return {
        f"{term}_to_lcc": (config[f"weight_{term}"] / lcc if lcc else float("inf")) or least
        for term, (least, _) in RATIOS.items()
    }


@space("what each term of the objective weighs, beside LCC", inverse=_ratios)
def loss_weights(trial: BaseTrial) -> Entries:
    """Ratios of the weights to that of LCC, in log scale.

    To Adam a common factor of all weights means nothing. So the weights are divided by their sum
    and multiplied by ``PUBLISHED_SUM``, and the ratios alone are searched.
    """
    weights = {"lcc": 1.0}
    for term, (least, largest) in RATIOS.items():
        ratio = trial.suggest_float(f"{term}_to_lcc", least, largest, log=True)
        weights[term] = ratio if ratio > least else 0.0
    total = sum(weights.values())
    return {f"weight_{term}": PUBLISHED_SUM * ratio / total for term, ratio in weights.items()}


@space("the window of the local cross correlation")
def lcc_window(trial: BaseTrial) -> Entries:
    """Its side in voxels, odd."""
    return {"lcc_window": trial.suggest_int("lcc_window", 3, 15, step=2)}


@space("the width of the network against what it costs (for --mode pareto --against cost)")
def channels(trial: BaseTrial) -> Entries:
    """The factor on all channels; each trial records seconds per pair and memory."""
    multiplication = trial.suggest_float("channel_multiplication", 0.5, 4.0, step=0.5)
    return {"channel_multiplication": multiplication}


_CONVOLUTIONS: Mapping[str, Entries] = {
    "one": {"classic_vnet": False, "convolutions": None},
    "classic": {"classic_vnet": True, "convolutions": None},
    "two": {"classic_vnet": False, "convolutions": [2, 2, 2, 2, 2, 2]},
}


def _shape(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with the name of its convolutions; another one has none."""
    fitting = (
        name
        for name, entries in _CONVOLUTIONS.items()
        if all(config[key] == value for key, value in entries.items())
    )
    return {**config, "convolutions_a_level": next(fitting, None)}


def _with_ratios(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**config, **_ratios(config)}


def _all_of(config: Mapping[str, Any]) -> dict[str, Any]:
    return _with_ratios(_shape(config))


@space("deep supervision, convolutions a level, normalisation", inverse=_shape)
def architecture(trial: BaseTrial) -> Entries:
    """The shape of the network at its width."""
    convolutions = trial.suggest_categorical("convolutions_a_level", list(_CONVOLUTIONS))
    return {
        "deep_supervision": trial.suggest_categorical("deep_supervision", [False, True]),
        "norm": trial.suggest_categorical("norm", ["instance", "batch", "none"]),
        **_CONVOLUTIONS[convolutions],
    }


@space("the four above together", inverse=_all_of)
def full(trial: BaseTrial) -> Entries:
    """Weights, window, width and shape."""
    parts = (loss_weights, lcc_window, channels, architecture)
    return {name: value for part in parts for name, value in part(trial).items()}


@space("learning rate and its schedule, LCC window and loss weights", inverse=_with_ratios)
def recipe(trial: BaseTrial) -> Entries:
    """How a given network is trained."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        "schedule": trial.suggest_categorical("schedule", ["constant", "cosine", "one_cycle"]),
        **lcc_window(trial),
        **loss_weights(trial),
    }
