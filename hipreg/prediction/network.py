"""A network's displacement of a batch, bettered at test time as asked for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, combinations

import torch
from torch import Tensor

from hipreg.models import FlowNet, Guidance, PairNet
from hipreg.prediction.instance import optimise
from hipreg.prediction.options import Refinement, changed
from hipreg.prediction.unfolding import unfolded
from hipreg.prediction.velocity import VelocityPairs, optimise_velocity
from hipreg.spatial import VelocityIntegration, mean_of_directions
from hipreg.types import Displacement, Image, Size


def predict(
    net: PairNet,
    moving: Image,
    fixed: Image,
    refinement: Refinement | None = None,
    *,
    lcc_window: int = 9,
) -> Displacement:
    """Register moving to fixed.

    Equal images are left exactly as they are. The network itself sees nothing but differences of
    features and normalises them, so that of equal images it would blow up rounding errors, to
    displacements of some voxels.

    Args:
        net: In evaluation mode.
        moving: (B, 1, D, H, W) in [0, 1], 0 where the scan covers nothing.
        fixed: (B, 1, D, H, W), likewise.
        refinement: What to do beside the one prediction; None for nothing.
        lcc_window: Side of the window of instance optimisation in voxels.

    Returns:
        (B, 3, D, H, W) in voxels on the fixed grid, without gradient.
    """
    wanted = refinement or Refinement()
    if isinstance(net, FlowNet):
        displacement = _by_velocity(net, moving, fixed, wanted, lcc_window)
    else:
        displacement = _by_displacement(net, moving, fixed, wanted, lcc_window)
    equal = (moving == fixed).flatten(1).all(dim=1)
    return displacement.masked_fill(equal.view(-1, 1, 1, 1, 1), 0.0)


def _by_velocity(
    net: FlowNet, moving: Image, fixed: Image, wanted: Refinement, lcc_window: int
) -> Displacement:
    """The mean is taken of velocities, and they are optimised: the inverse stays exact."""
    with torch.no_grad():
        guidance = net.guidance(moving, fixed)
        transform = VelocityIntegration(_size(fixed))
        velocity = _mean([_velocity(net, m, moving, fixed, guidance) for m in _mirrorings(wanted)])
        if wanted.steps:
            pairs = VelocityPairs.of(moving, fixed, guidance, transform)
            goal = changed(pairs.usual_goal, wanted.goal)
            velocity = optimise_velocity(
                velocity, pairs, steps=wanted.steps, goal=goal, lcc_window=lcc_window
            )
        return unfolded(velocity, transform)


def _velocity(
    net: FlowNet, mirroring: _Mirroring, moving: Image, fixed: Image, guidance: Guidance | None
) -> Displacement:
    """What the network predicts of mirrored images, mirrored back."""
    # What was predicted of the images as they are need not be predicted again.
    known = None if mirroring.axes else guidance
    found = net(mirroring.of(moving), mirroring.of(fixed), known)
    return mirroring.of_vectors(found.parameters[0])


def _by_displacement(
    net: PairNet, moving: Image, fixed: Image, wanted: Refinement, lcc_window: int
) -> Displacement:
    register = net.both_directions if wanted.both_directions else net
    with torch.no_grad():
        displacement = _mean(
            [
                mirroring.of_vectors(
                    register(mirroring.of(moving), mirroring.of(fixed)).displacement
                )
                for mirroring in _mirrorings(wanted)
            ]
        )
        if wanted.both_directions:
            displacement = mean_of_directions(*displacement.chunk(2))
    if not wanted.steps:
        return displacement
    return optimise(
        displacement,
        moving,
        fixed,
        steps=wanted.steps,
        learning_rate=wanted.learning_rate,
        smoothness=wanted.smoothness,
        lcc_window=lcc_window,
    )


@dataclass(frozen=True, slots=True)
class _Mirroring:
    """Mirroring along some of the axes 0, 1 and 2; its own inverse."""

    axes: tuple[int, ...]

    def of(self, volume: Tensor) -> Tensor:
        return volume.flip([axis + 2 for axis in self.axes])

    def of_vectors(self, field: Displacement) -> Displacement:
        """Vectors change the sign of the components that are mirrored."""
        signs = torch.tensor([-1.0 if axis in self.axes else 1.0 for axis in range(3)])
        return self.of(field) * signs.to(field.device).view(1, 3, 1, 1, 1)


def _mirrorings(wanted: Refinement) -> list[_Mirroring]:
    axes = list(wanted.flips)
    choices = chain.from_iterable(combinations(axes, k) for k in range(len(axes) + 1))
    return [_Mirroring(chosen) for chosen in choices]


def _mean(fields: list[Displacement]) -> Displacement:
    return torch.stack(fields).mean(0) if len(fields) > 1 else fields[0]


def _size(volume: Tensor) -> Size:
    d, h, w = volume.shape[2:]
    return d, h, w
