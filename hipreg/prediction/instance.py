"""Instance optimisation: a few gradient steps on a pair's own images, never on its labels."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from hipreg.losses import diffusion_penalty, lcc_loss
from hipreg.losses.similarity import covered
from hipreg.spatial import warp
from hipreg.types import Displacement, Image

CONTROL = 2
"""Voxels between the control points of the correction: half the values, and none that a single
voxel's noise could move."""

NEGLIGIBLE = 1e-2
"""Change of the loss of a control point's surroundings, a voxel of displacement, that is noise."""


def optimise(
    displacement: Displacement,
    moving: Image,
    fixed: Image,
    *,
    steps: int,
    learning_rate: float = 0.05,
    smoothness: float = 3.0,
    lcc_window: int = 9,
) -> Displacement:
    """Correct a displacement by gradient descent on the pair's image loss and its smoothness.

    The correction lives on a grid of every second voxel and is interpolated linearly. Each pair of
    the batch is optimised for itself: Adam scales steps by value.

    Args:
        displacement: (B, 3, D, H, W) in voxels, where to start.
        moving: (B, 1, D, H, W) in [0, 1], 0 where the scan covers nothing.
        fixed: (B, 1, D, H, W), likewise.
        steps: How many.
        learning_rate: Of Adam, in voxels.
        smoothness: Weight of the diffusion penalty beside 1 - LCC.
        lcc_window: Side of the LCC window in voxels, odd.

    Returns:
        (B, 3, D, H, W) in voxels.
    """
    d, h, w = displacement.shape[2:]
    size = [d, h, w]
    control = torch.zeros(
        len(displacement),
        3,
        *(max(side // CONTROL, 1) for side in size),
        device=displacement.device,
        requires_grad=True,
    )
    start = displacement.detach()
    # In units of one control point's own surroundings, so that steps shrink where images agree:
    # Adam would else follow the rounding errors of equal images at full length.
    scale = control[0, 0].numel()
    optimizer = torch.optim.Adam([control], lr=learning_rate, eps=NEGLIGIBLE)
    with torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            current = start + _upsampled(control, size)
            warped = warp(moving, current)[None]
            mask = covered(warped, fixed)
            image_loss = lcc_loss(warped, fixed, mask=mask, window=lcc_window).sum()
            loss = scale * (image_loss + smoothness * diffusion_penalty(current).sum())
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return (start + _upsampled(control, size)).detach()


def _upsampled(control: Displacement, size: list[int]) -> Displacement:
    return F.interpolate(control, size=size, mode="trilinear")
