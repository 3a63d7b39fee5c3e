"""Optimising a network: one step, the loop around it and its hooks."""

from hipreg.training.allocator import keep_freed_memory
from hipreg.training.averaging import WeightAverage
from hipreg.training.compilation import compile_network
from hipreg.training.device import choose_device
from hipreg.training.distributed import LostProcessError, Team
from hipreg.training.hooks import (
    BY_DICE,
    BY_LOSS,
    SELECTION_METRIC,
    Criterion,
    DivergenceError,
    Evaluate,
    SaveCheckpoints,
    StopOnDivergence,
    TimeLimit,
)
from hipreg.training.loop import Hook, Recipe, TrainingState, train, train_by
from hipreg.training.schedule import SCHEDULES, learning_rate
from hipreg.training.step import (
    PRECISIONS,
    autocast,
    evaluate_objective,
    segmentation_step,
    training_step,
)

__all__ = [
    "BY_DICE",
    "BY_LOSS",
    "PRECISIONS",
    "SCHEDULES",
    "SELECTION_METRIC",
    "Criterion",
    "DivergenceError",
    "Evaluate",
    "Hook",
    "LostProcessError",
    "Recipe",
    "SaveCheckpoints",
    "StopOnDivergence",
    "Team",
    "TimeLimit",
    "TrainingState",
    "WeightAverage",
    "autocast",
    "choose_device",
    "compile_network",
    "evaluate_objective",
    "keep_freed_memory",
    "learning_rate",
    "segmentation_step",
    "train",
    "train_by",
    "training_step",
]
