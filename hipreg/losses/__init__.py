"""What training minimises: pure functions and their weighted sum."""

from hipreg.data.channels import one_hot, soften
from hipreg.losses.lcc import lcc
from hipreg.losses.objective import PUBLISHED_WEIGHTS, TERMS, Loss, Objective
from hipreg.losses.overlap import expected_dice_loss, soft_dice_loss
from hipreg.losses.regularisation import (
    bending_penalty,
    diffusion_penalty,
    divergence_penalty,
    l1_penalty,
    l2_penalty,
)
from hipreg.losses.segmentation import (
    SEGMENTATION_TERMS,
    segmentation_loss,
    soft_cross_entropy,
)
from hipreg.losses.similarity import lcc_loss, mse_loss

__all__ = [
    "PUBLISHED_WEIGHTS",
    "SEGMENTATION_TERMS",
    "TERMS",
    "Loss",
    "Objective",
    "bending_penalty",
    "diffusion_penalty",
    "divergence_penalty",
    "expected_dice_loss",
    "l1_penalty",
    "l2_penalty",
    "lcc",
    "lcc_loss",
    "mse_loss",
    "one_hot",
    "segmentation_loss",
    "soft_cross_entropy",
    "soft_dice_loss",
    "soften",
]
