"""Learning rates as functions of how far training has come."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

WARM_UP = 0.1
"""Share of a one-cycle training in which the learning rate rises."""


def _one_cycle(progress: float) -> float:
    if progress < WARM_UP:
        return 0.05 + 0.95 * progress / WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: 0.5 * (1 + math.cos(math.pi * progress)),
    "one_cycle": _one_cycle,
}
"""From the share of steps done, in [0, 1), to a factor on the learning rate."""


def learning_rate(schedule: str, base: float, progress: float) -> float:
    """The learning rate at a point of training.

    Being a function of progress alone, it needs no state to be resumed.

    Raises:
        ValueError: If the schedule is unknown.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {tuple(SCHEDULES)}, got {schedule!r}")
    return base * SCHEDULES[schedule](progress)
