"""Overlap of labels as a loss."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

SMOOTH = 1.0
"""Voxels added to numerator and denominator: an absent label that stays absent costs nothing."""


def soft_dice_loss(
    warped: Float[Tensor, "B L D H W"], fixed: Float[Tensor, "B L D H W"]
) -> Float[Tensor, " B"]:
    """One minus the soft Dice coefficient, averaged over the labels (Milletari et al. 2016).

    Args:
        warped: (B, L, D, H, W) in [0, 1], the warped channels of the moving label.
        fixed: (B, L, D, H, W) in {0, 1}.

    Returns:
        (B,) in [0, 1].
    """
    dimensions = (-3, -2, -1)
    overlap = 2 * (warped * fixed).sum(dimensions) + SMOOTH
    total = warped.square().sum(dimensions) + fixed.square().sum(dimensions) + SMOOTH
    return (1 - overlap / total).mean(dim=1)
