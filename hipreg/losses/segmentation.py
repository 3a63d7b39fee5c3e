"""What a segmentation is trained by: overlap and cross entropy with labels that may be soft."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from hipreg.losses.objective import Loss
from hipreg.losses.overlap import soft_dice_loss

SEGMENTATION_TERMS = ("dice", "cross_entropy")


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
