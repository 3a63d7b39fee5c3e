"""Optimising a network: one step, the loop around it and its hooks."""

from hipreg.training.hooks import (
    SELECTION_METRIC,
    DivergenceError,
    Evaluate,
    SaveCheckpoints,
    StopOnDivergence,
    TimeLimit,
)
from hipreg.training.loop import Hook, Recipe, TrainingState, train
from hipreg.training.schedule import SCHEDULES, learning_rate
from hipreg.training.step import PRECISIONS, autocast, evaluate_objective, training_step

__all__ = [
    "PRECISIONS",
    "SCHEDULES",
    "SELECTION_METRIC",
    "DivergenceError",
    "Evaluate",
    "Hook",
    "Recipe",
    "SaveCheckpoints",
    "StopOnDivergence",
    "TimeLimit",
    "TrainingState",
    "autocast",
    "evaluate_objective",
    "learning_rate",
    "train",
    "training_step",
]
