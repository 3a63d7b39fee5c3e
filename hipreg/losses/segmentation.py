"""What a segmentation is trained by: labels that are known to be noisy, so soft at their borders.

Raters disagree on where a label ends, hardly on where its middle is. So a target is not a hard
label but one that fades over its border, as wide as the disagreement; cross entropy then asks for
no certainty where there is none, and the overlap is that of two soft label maps.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from hipreg.losses.objective import Loss
from hipreg.losses.overlap import soft_dice_loss

SEGMENTATION_TERMS = ("dice", "cross_entropy")


def soften(targets: Float[Tensor, "B L D H W"], *, border: float) -> Float[Tensor, "B L D H W"]:
    """Let labels fade over their borders.

    Args:
        targets: (B, L, D, H, W) in [0, 1].
        border: Share, in [0, 1/3], that a voxel takes over from each of its two neighbours along
            each axis; 0 leaves the targets as they are, 1/3 is the mean of three.

    Returns:
        (B, L, D, H, W) in [0, 1]; beyond the volume lies more of its outermost layer.

    Raises:
        ValueError: If ``border`` lies outside its range.
    """
    if not 0 <= border <= 1 / 3:
        raise ValueError(f"the border's share lies in [0, 1/3], got {border}")
    if border == 0:
        return targets
    for axis in (2, 3, 4):
        first, last = targets.narrow(axis, 0, 1), targets.narrow(axis, targets.shape[axis] - 1, 1)
        padded = torch.cat([first, targets, last], dim=axis)
        size = targets.shape[axis]
        sides = padded.narrow(axis, 0, size) + padded.narrow(axis, 2, size)
        targets = torch.lerp(targets, sides / 2, 2 * border)
    return targets


def soft_cross_entropy(
    logits: Float[Tensor, "B C D H W"], targets: Float[Tensor, "B L D H W"]
) -> Float[Tensor, " B"]:
    """Cross entropy against soft labels, a mean over voxels.

    Args:
        logits: (B, L + 1, D, H, W), background first.
        targets: (B, L, D, H, W) in [0, 1]; the background has what is left to 1.

    Returns:
        (B,), at its lowest where the predicted probabilities are the targets.
    """
    logs = F.log_softmax(logits, dim=1)
    background = 1 - targets.sum(1)
    likelihood = (logs[:, 1:] * targets).sum(1) + logs[:, 0] * background
    return -likelihood.mean((-3, -2, -1))


def segmentation_loss(
    logits: Float[Tensor, "B C D H W"],
    targets: Float[Tensor, "B L D H W"],
    weights: Mapping[str, float],
) -> Loss:
    """The weighted sum of soft Dice and cross entropy, averaged over the batch.

    Args:
        logits: (B, L + 1, D, H, W), background first.
        targets: (B, L, D, H, W) in [0, 1].
        weights: Of the terms named in ``SEGMENTATION_TERMS``.

    Raises:
        ValueError: If a term is unknown.
    """
    unknown = sorted(set(weights) - set(SEGMENTATION_TERMS))
    if unknown:
        raise ValueError(f"unknown loss terms {unknown}; known are {list(SEGMENTATION_TERMS)}")
    terms = {
        "dice": soft_dice_loss(logits.softmax(1)[:, 1:], targets).mean(),
        "cross_entropy": soft_cross_entropy(logits, targets).mean(),
    }
    total = torch.stack([weights[name] * terms[name] for name in weights]).sum()
    return Loss(total, {name: terms[name].detach() for name in weights})
