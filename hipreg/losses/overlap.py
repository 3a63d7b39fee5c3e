"""Overlap of labels as a loss."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

SMOOTH = 1.0
"""Voxels added to numerator and denominator: an absent label that stays absent costs nothing."""

_SPACE = (-3, -2, -1)


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
    sizes = warped.square().sum(_SPACE) + fixed.square().sum(_SPACE)
    return _less_than_whole(warped, fixed, sizes)


def expected_dice_loss(
    warped: Float[Tensor, "B L D H W"], fixed: Float[Tensor, "B L D H W"]
) -> Float[Tensor, " B"]:
    """One minus the Dice coefficient to be expected of uncertain labels, averaged over them.

    Of two label maps that are unknown and independent, with every voxel's probability known, the
    expected overlap is the sum of products and the expected sizes are sums, and this is the ratio
    of the two. Unlike ``soft_dice_loss``, whose sizes are sums of squares, it is 0 for nothing but
    labels that are certain, and smaller the fewer voxels an uncertain border is warped to.

    Args:
        warped: (B, L, D, H, W) in [0, 1], the warped probabilities of the moving labels.
        fixed: (B, L, D, H, W) in [0, 1], the probabilities of the fixed ones.

    Returns:
        (B,) in [0, 1].
    """
    return _less_than_whole(warped, fixed, warped.sum(_SPACE) + fixed.sum(_SPACE))


def _less_than_whole(warped: Tensor, fixed: Tensor, sizes: Tensor) -> Tensor:
    overlap = 2 * (warped * fixed).sum(_SPACE) + SMOOTH
    return (1 - overlap / (sizes + SMOOTH)).mean(dim=1)
