"""What may be done at test time to better a network's registration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hipreg.prediction.velocity import VelocityGoal

AXES = (0, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """How a pair is registered; the defaults are the network's one prediction.

    Learning rate and smoothness were chosen on the 20 selection pairs with the quick network.

    Attributes:
        both_directions: Average with the inverse of the prediction for the exchanged images.
        flips: Axes to mirror both images along; the predictions for all combinations are averaged.
        steps: Gradient steps of instance optimisation on the pair's own images, none with 0.
        learning_rate: Of these steps, in voxels.
        smoothness: Weight of the diffusion penalty beside 1 - LCC in them.
        goal: Of the steps of a network that predicts velocities, in the place of the last two.
    """

    both_directions: bool = False
    flips: Sequence[int] = ()
    steps: int = 0
    learning_rate: float = 0.05
    smoothness: float = 3.0
    goal: VelocityGoal = field(default_factory=VelocityGoal)

    def __post_init__(self) -> None:
        if any(axis not in AXES for axis in self.flips) or len(set(self.flips)) < len(self.flips):
            raise ValueError(f"flips are different axes among 0, 1, 2, got {list(self.flips)}")
        if self.steps < 0 or not self.learning_rate > 0 or not self.smoothness >= 0:
            raise ValueError(
                "instance optimisation needs steps of at least 0, a learning rate above 0 and a "
                f"smoothness of at least 0, got {self.steps}, {self.learning_rate}, "
                f"{self.smoothness}"
            )
