"""Image similarity as losses: one value a prediction and pair, 0 at best."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hipreg.losses.lcc import lcc

VolumeMask = Bool[Tensor, "S B 1 D H W"]


def covered(warped: Float[Tensor, "S B 1 D H W"], fixed: Float[Tensor, "B 1 D H W"]) -> VolumeMask:
    """Voxels that both scans cover: where neither image is 0."""
    return (warped.detach() != 0) & (fixed != 0)


def lcc_loss(
    warped: Float[Tensor, "S B 1 D H W"],
    fixed: Float[Tensor, "B 1 D H W"],
    *,
    mask: VolumeMask,
    window: int,
) -> Float[Tensor, "S B"]:
    """One minus the mean squared local cross correlation over the mask (see ``lcc``)."""
    return 1 - lcc(warped, fixed, window=window, mask=mask)


def mse_loss(
    warped: Float[Tensor, "S B 1 D H W"],
    fixed: Float[Tensor, "B 1 D H W"],
    *,
    mask: VolumeMask,
) -> Float[Tensor, "S B"]:
    """Mean squared difference over the mask; 0 where the mask is empty."""
    squared = torch.where(mask, warped - fixed, 0).square()
    dimensions = (-4, -3, -2, -1)
    return squared.sum(dimensions) / mask.sum(dimensions).clamp(min=1)
