"""Where more cost stops to pay: the knee of Dice against seconds per pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]

RULE = (
    "the point of the Pareto front that lies farthest above the straight line between its ends, "
    "both axes scaled to their ends and cost taken as its logarithm"
)
"""How the knee is found, in words."""


def front(points: Sequence[Point]) -> list[int]:
    """Places of the points that no other one beats in both cost (less) and gain (more), by cost.

    Args:
        points: (cost, gain), cost in any unit.
    """
    order = sorted(range(len(points)), key=lambda at: (points[at][0], -points[at][1]))
    kept: list[int] = []
    for at in order:
        if not kept or points[at][1] > points[kept[-1]][1]:
            kept.append(at)
    return kept


def knee(points: Sequence[Point]) -> int | None:
    """Place of the knee, found as :data:`RULE` says; None where there is none.

    Args:
        points: (cost, gain); costs above 0.

    Returns:
        None for a front of fewer than three points, and for one that nowhere bends upwards.
    """
    places = front(points)
    if len(places) < 3:
        return None
    cost, gain = np.array([points[at] for at in places]).T
    along = _scaled(np.log(cost))
    above = _scaled(gain) - along
    highest = int(np.argmax(above))
    return places[highest] if above[highest] > 1e-9 else None


def _scaled(values: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray((values - values[0]) / (values[-1] - values[0]))
