"""What may be done at test time to better a network's registration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hipreg.models import FlowNet, GuidedNet, Model
from hipreg.prediction.velocity import LABELS, VelocityGoal, usual_goal

AXES = (0, 1, 2)


def changed(goal: VelocityGoal, changes: Mapping[str, float | bool]) -> VelocityGoal:
    """A goal with some of its values replaced.

    Raises:
        ValueError: A value is impossible.
    """
    values: dict[str, Any] = {**asdict(goal), **changes}
    return VelocityGoal(**values)


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
        goal: What the steps of a network that predicts velocities minimise, in the place of the
            last two: the values of a ``VelocityGoal`` that are not the usual ones.
    """

    both_directions: bool = False
    flips: Sequence[int] = ()
    steps: int = 0
    learning_rate: float = 0.05
    smoothness: float = 3.0
    goal: Mapping[str, float | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(axis not in AXES for axis in self.flips) or len(set(self.flips)) < len(self.flips):
            raise ValueError(f"flips are different axes among 0, 1, 2, got {list(self.flips)}")
        if self.steps < 0 or not self.learning_rate > 0 or not self.smoothness >= 0:
            raise ValueError(
                "instance optimisation needs steps of at least 0, a learning rate above 0 and a "
                f"smoothness of at least 0, got {self.steps}, {self.learning_rate}, "
                f"{self.smoothness}"
            )
        known = [item.name for item in fields(VelocityGoal)]
        if unknown := sorted(set(self.goal) - set(known)):
            raise ValueError(f"a goal has no {', '.join(unknown)}; it has {', '.join(known)}")
        changed(LABELS, self.goal)  # refuses impossible values

    def goal_for(self, net: FlowNet) -> VelocityGoal:
        """What the steps of a network minimise, the usual values among it."""
        return changed(usual_goal(isinstance(net, GuidedNet)), self.goal)

    @staticmethod
    def of(model: Model, *, steps: int | None = None) -> Refinement:
        """What belongs to a model, or so many steps of it."""
        return Refinement(
            steps=model.instance_steps if steps is None else steps, goal=model.instance_goal
        )
