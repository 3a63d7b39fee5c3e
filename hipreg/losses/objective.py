"""The weighted sum that training minimises, with its named terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hipreg.data.channels import one_hot
from hipreg.losses.lcc import check_window
from hipreg.losses.overlap import soft_dice_loss
from hipreg.losses.parts import evaluate_in_parts
from hipreg.losses.regularisation import (
    bending_penalty,
    diffusion_penalty,
    l1_penalty,
    l2_penalty,
)
from hipreg.losses.similarity import VolumeMask, covered, lcc_loss, mse_loss
from hipreg.spatial import warp
from hipreg.types import Displacement, Image, Pair, Registration


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a term may look at: registered pairs, warped once for all terms.

    Attributes:
        warped: (S, B, 1, D, H, W), the moving image under each of S displacements.
        fixed: (B, 1, D, H, W).
        mask: (S, B, 1, D, H, W), voxels that both scans cover.
        warped_label: (B, L, D, H, W) in [0, 1], under the finest displacement.
        fixed_label: (B, L, D, H, W) in {0, 1}.
        displacement: (B, 3, D, H, W) in voxels, the finest.
        deviation: (B, 3, D, H, W), see ``Registration``.
        lcc_window: Side of the LCC window in voxels.
    """

    warped: Float[Tensor, "S B 1 D H W"]
    fixed: Image
    mask: VolumeMask
    warped_label: Float[Tensor, "B L D H W"]
    fixed_label: Float[Tensor, "B L D H W"]
    displacement: Displacement
    deviation: Float[Tensor, "B 3 D H W"]
    lcc_window: int


TERMS: Mapping[str, Callable[[Comparison], Tensor]] = {
    "lcc": lambda c: lcc_loss(c.warped, c.fixed, mask=c.mask, window=c.lcc_window),
    "mse": lambda c: mse_loss(c.warped, c.fixed, mask=c.mask),
    "dice": lambda c: soft_dice_loss(c.warped_label, c.fixed_label),
    "l1": lambda c: l1_penalty(c.deviation),
    "l2": lambda c: l2_penalty(c.deviation),
    "diffusion": lambda c: diffusion_penalty(c.displacement),
    "parameter_diffusion": lambda c: diffusion_penalty(c.deviation),
    "bending": lambda c: bending_penalty(c.deviation),
}
"""Every known term: from a comparison to one value a pair (and prediction), 0 at best."""

PUBLISHED_WEIGHTS: Mapping[str, float] = {"lcc": 1.0, "dice": 1.0, "l1": 0.1}
"""The weights of Estienne et al. (arXiv 2010.10897)."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The value of an objective.

    Attributes:
        total: Scalar, the weighted sum, to be differentiated.
        terms: Scalars, each term before weighting, detached.
    """

    total: Tensor
    terms: Mapping[str, Tensor]


class Objective:
    """A weighted sum of terms, averaged over pairs, predictions and directions.

    Args:
        weights: Weight of each term by name (see ``TERMS``); terms of weight 0 cost nothing.
        labels: The label values that overlap is measured on.
        lcc_window: Side of the LCC window in voxels.

    Raises:
        ValueError: If a term is unknown, a weight is negative, all weights are 0, the window is
            even, or overlap is to be measured on no labels.
    """

    def __init__(
        self,
        weights: Mapping[str, float] = PUBLISHED_WEIGHTS,
        *,
        labels: tuple[int, ...] = (1, 2),
        lcc_window: int = 9,
    ) -> None:
        unknown = sorted(set(weights) - set(TERMS))
        if unknown:
            raise ValueError(f"unknown loss terms {unknown}; known are {sorted(TERMS)}")
        if any(weight < 0 for weight in weights.values()) or not any(weights.values()):
            raise ValueError(f"weights must be 0 or more, one above 0, got {dict(weights)}")
        check_window(lcc_window)
        if weights.get("dice", 0) > 0 and not labels:
            raise ValueError(
                "the weight of dice (weight_dice) is above 0, and the images have no labels: set "
                "it to 0"
            )
        self.weights = {name: weight for name, weight in weights.items() if weight > 0}
        self.labels = labels
        self.lcc_window = lcc_window

    def __call__(self, registration: Registration, pair: Pair) -> Loss:
        """Evaluate on registered pairs.

        With symmetric training, ``registration`` and ``pair`` hold both directions as one batch of
        2B: every term is a mean over the batch, hence the mean of both directions.

        Args:
            registration: Of batch B, as the network returns it.
            pair: Of the same batch.

        Returns:
            The total and its terms.
        """
        total, terms = evaluate_in_parts(
            self.terms, list(self.weights.values()), registration, pair
        )
        return Loss(total, dict(zip(self.weights, terms.unbind(), strict=True)))

    def terms(self, registration: Registration, pair: Pair) -> Float[Tensor, "T B"]:
        """Each term of each pair, before weighting, in the order of ``weights``."""
        comparison = self.compare(registration, pair)
        values = [TERMS[name](comparison) for name in self.weights]
        return torch.stack([value.mean(0) if value.ndim == 2 else value for value in values])

    def compare(self, registration: Registration, pair: Pair) -> Comparison:
        """Warp images and labels under all displacements, each voxel read once."""
        finest, *coarse = registration.displacements
        channels = one_hot(pair.moving_label, self.labels)
        both = warp(torch.cat([pair.moving, channels], dim=1), finest)
        warped = torch.stack([both[:, :1], *(warp(pair.moving, field) for field in coarse)])
        return Comparison(
            warped=warped,
            fixed=pair.fixed,
            mask=covered(warped, pair.fixed),
            warped_label=both[:, 1:],
            fixed_label=one_hot(pair.fixed_label, self.labels),
            displacement=finest,
            deviation=registration.deviation,
            lcc_window=self.lcc_window,
        )
