"""Instance optimisation of velocities: on a pair's images and predicted labels, to convergence."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hipreg.losses import (
    diffusion_penalty,
    divergence_penalty,
    expected_dice_loss,
    lcc_loss,
)
from hipreg.losses.parts import parts
from hipreg.losses.similarity import covered
from hipreg.spatial import VelocityIntegration, warp
from hipreg.types import Image

DECAYS = (0.8, 0.95)
"""Of Adam's two means: shorter than usual, for some tens of steps."""

NEGLIGIBLE = 1e-3
"""Change of the loss of a control point's surroundings, a voxel of velocity, that is noise."""

LOOKBACK = 5
"""Steps that a loss is compared over to see whether it still falls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VelocityGoal:
    """What instance optimisation of a velocity minimises, and when it has done enough.

    Attributes:
        lcc: Weight of 1 - LCC of the images.
        dice: Weight of 1 - expected Dice of the predicted labels, where there are some.
        diffusion: Weight of the mean squared derivative of the velocity.
        divergence: Weight of its mean squared divergence, which changes volumes.
        both_directions: Take the mean of both directions, so that exchanging the images changes
            the sign of the velocity and nothing else, instead of moving to fixed alone.
        learning_rate: Of Adam, in voxels.
        tolerance: A pair is done when its loss fell by less than this share over ``LOOKBACK``
            steps.
    """

    lcc: float = 1.0
    dice: float = 5.0
    diffusion: float = 1.0
    divergence: float = 0.0
    both_directions: bool = True
    learning_rate: float = 0.1
    tolerance: float = 5e-3

    def __post_init__(self) -> None:
        values = (self.lcc, self.dice, self.diffusion, self.divergence, self.tolerance)
        if min(values) < 0 or not self.learning_rate > 0 or not self.lcc + self.dice > 0:
            raise ValueError(
                "a goal's weights and tolerance are at least 0, one of lcc and dice and the "
                f"learning rate above 0, got {self}"
            )


IMAGES = VelocityGoal()
"""Where no labels are predicted."""

LABELS = VelocityGoal(
    lcc=0.0,
    diffusion=0.15,
    divergence=0.4,
    both_directions=False,
    learning_rate=0.2,
    tolerance=1e-3,
)
"""Where some are.

Their uncertain borders cannot be thin in both images at once, which is why one direction reaches
a higher overlap than both together. What images add to predicted labels is roughness.
"""


def usual_goal(labelled: bool) -> VelocityGoal:
    """What is minimised where nothing else is asked for.

    Args:
        labelled: Whether labels are predicted.
    """
    return LABELS if labelled else IMAGES


@dataclass(frozen=True, slots=True)
class VelocityPairs:
    """What velocities are fitted to: batches of pairs.

    Attributes:
        moving: (B, 1 + L, D, H, W), image and predicted labels.
        fixed: (B, 1 + L, D, H, W), likewise.
        transform: From velocities to displacements.
    """

    moving: Float[Tensor, "B C D H W"]
    fixed: Float[Tensor, "B C D H W"]
    transform: VelocityIntegration

    @staticmethod
    def of(
        moving: Image,
        fixed: Image,
        guidance: Float[Tensor, "2*B L D H W"] | None,
        transform: VelocityIntegration,
    ) -> VelocityPairs:
        """Pairs of images with what a network predicts of them, if anything."""
        if guidance is not None:
            labels = guidance.chunk(2)
            moving, fixed = (
                torch.cat(two, 1) for two in zip((moving, fixed), labels, strict=True)
            )
        return VelocityPairs(moving, fixed, transform)

    @property
    def labelled(self) -> bool:
        """Whether there are predicted labels."""
        return self.moving.shape[1] > 1

    @property
    def usual_goal(self) -> VelocityGoal:
        """What is minimised where nothing else is asked for."""
        return usual_goal(self.labelled)

    def losses(
        self,
        velocity: Float[Tensor, "B 3 d h w"],
        rows: Int64[Tensor, " B"],
        goal: VelocityGoal,
        lcc_window: int,
    ) -> Float[Tensor, " B"]:
        """The loss of some pairs."""
        moving, fixed, flow = self.moving[rows], self.fixed[rows], velocity
        if goal.both_directions:
            moving, fixed = torch.cat([moving, fixed]), torch.cat([fixed, moving])
            flow = torch.cat([velocity, -velocity])
        total = _mismatch(moving, fixed, self.transform(flow), goal, lcc_window)
        penalty = goal.diffusion * diffusion_penalty(velocity)
        if goal.divergence:
            edge = self.transform.edge(velocity)
            penalty = penalty + goal.divergence * divergence_penalty(velocity, edge)
        return total.view(-1, len(rows)).mean(0) + penalty


def _mismatch(
    moving: Tensor, fixed: Tensor, field: Tensor, goal: VelocityGoal, lcc_window: int
) -> Float[Tensor, " B"]:
    """How little the warped images and predicted labels resemble the fixed ones."""
    total = field.new_zeros(len(field))
    if goal.lcc:
        image = warp(moving[:, :1], field)[None]
        mask = covered(image, fixed[:, :1])
        found = lcc_loss(image, fixed[:, :1], mask=mask, window=lcc_window)[0]
        total = total + goal.lcc * found
    if goal.dice and moving.shape[1] > 1:
        labels = warp(moving[:, 1:], field)
        total = total + goal.dice * expected_dice_loss(labels, fixed[:, 1:])
    return total


def optimise_velocity(
    velocity: Float[Tensor, "B 3 d h w"],
    pairs: VelocityPairs,
    *,
    steps: int,
    goal: VelocityGoal | None = None,
    lcc_window: int = 9,
) -> Float[Tensor, "B 3 d h w"]:
    """Fit velocities to their pairs by gradient descent, each for itself and until it is done.

    Args:
        velocity: (B, 3, d, h, w) in voxels of the full grid, where to start; 0 is as good.
        pairs: The same B pairs.
        steps: At most so many.
        goal: What is minimised, and when a pair is done; None for ``pairs.usual_goal``.
        lcc_window: Side of the LCC window in voxels, odd.

    Returns:
        (B, 3, d, h, w), without gradient.

    Raises:
        ValueError: The goal is to compare predicted labels alone, and there are none.
    """
    goal = goal or pairs.usual_goal
    if not goal.lcc and not pairs.labelled:
        raise ValueError("no labels are predicted here: lcc, the images' weight, must be above 0")
    result = velocity.detach().clone()
    first, second = torch.zeros_like(result), torch.zeros_like(result)
    history: list[Tensor] = []
    active = torch.arange(len(result), device=result.device)
    # In units of one control point's own surroundings, so that steps shrink where images agree.
    scale = result[0, 0].numel() if len(result) else 1
    for step in range(1, steps + 1):
        losses, slopes = _slopes(result, active, pairs, goal, lcc_window)
        latest = history[-1].clone() if history else losses.new_zeros(len(result))
        latest[active] = losses
        history.append(latest)
        if step > LOOKBACK:
            fall = history[-1 - LOOKBACK][active] - losses
            going = fall > goal.tolerance * losses
            active, slopes = active[going], slopes[going]
        if len(active) == 0:
            break
        slopes = slopes * scale
        for mean, now, decay in (
            (first, slopes, DECAYS[0]),
            (second, slopes.square(), DECAYS[1]),
        ):
            mean[active] = mean[active].lerp(now, 1 - decay)
        direction = first[active] / (1 - DECAYS[0] ** step)
        size = (second[active] / (1 - DECAYS[1] ** step)).sqrt() + NEGLIGIBLE
        result[active] -= goal.learning_rate * direction / size
    return result


def _slopes(
    velocity: Tensor,
    active: Tensor,
    pairs: VelocityPairs,
    goal: VelocityGoal,
    lcc_window: int,
) -> tuple[Float[Tensor, " A"], Float[Tensor, "A 3 d h w"]]:
    """Loss and gradient of the active pairs, few at a time."""
    losses, slopes = [], []
    for part in parts(len(active), velocity.device):
        rows = active[part]
        leaf = velocity[rows].requires_grad_()
        with torch.enable_grad():
            values = pairs.losses(leaf, rows, goal, lcc_window)
            (slope,) = torch.autograd.grad(values.sum(), leaf)
        losses.append(values.detach())
        slopes.append(slope)
    return torch.cat(losses), torch.cat(slopes)
