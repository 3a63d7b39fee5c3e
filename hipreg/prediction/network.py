"""A network's displacement of a batch, bettered at test time as asked for."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Protocol

import torch

from hipreg.prediction.instance import optimise
from hipreg.prediction.options import Refinement
from hipreg.spatial import mean_of_directions
from hipreg.types import Displacement, Image, Registration


class DirectedNet(Protocol):
    """What prediction needs of a network."""

    def __call__(self, moving: Image, fixed: Image) -> Registration: ...

    def both_directions(self, moving: Image, fixed: Image) -> Registration: ...


def predict(
    net: DirectedNet,
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
    with torch.no_grad():
        there, back = _mirrored_means(net, moving, fixed, wanted)
        displacement = there if back is None else mean_of_directions(there, back)
    if wanted.steps:
        displacement = optimise(
            displacement,
            moving,
            fixed,
            steps=wanted.steps,
            learning_rate=wanted.learning_rate,
            smoothness=wanted.smoothness,
            lcc_window=lcc_window,
        )
    equal = (moving == fixed).flatten(1).all(dim=1)
    return displacement.masked_fill(equal.view(-1, 1, 1, 1, 1), 0.0)


def _mirrored_means(
    net: DirectedNet, moving: Image, fixed: Image, wanted: Refinement
) -> tuple[Displacement, Displacement | None]:
    """The mean prediction over all mirrorings, and that of the exchanged images where asked."""
    axes = list(wanted.flips)
    choices = list(chain.from_iterable(combinations(axes, k) for k in range(len(axes) + 1)))
    total: torch.Tensor | None = None
    for chosen in choices:
        dims = [axis + 2 for axis in chosen]
        register = net.both_directions if wanted.both_directions else net
        found = register(moving.flip(dims), fixed.flip(dims)).displacement.flip(dims)
        signs = torch.tensor([-1.0 if axis in chosen else 1.0 for axis in range(3)])
        found = found * signs.to(found.device).view(1, 3, 1, 1, 1)
        total = found if total is None else total + found
    assert total is not None
    mean = total / len(choices)
    if not wanted.both_directions:
        return mean, None
    there, back = mean.chunk(2)
    return there, back
