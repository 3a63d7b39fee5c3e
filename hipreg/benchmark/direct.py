"""The training step of Estienne et al. (arXiv 2010.10897), done as directly as it is stated.

The yardstick for everything that is faster, on the same network and weights. Five sums over
windows by dense one-channel convolutions, resolutions and directions one after the other, each
gradient upsampled to full size before it is integrated, float32, contiguous memory.

Two conventions are those of the rest of hipreg, so that values can be compared: window means
rather than sums, with ``hipreg.losses.lcc.EPSILON`` added to each variance, and sampling with
``hipreg.spatial.warp``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from hipreg.losses import Loss, Objective
from hipreg.losses.lcc import EPSILON
from hipreg.losses.overlap import SMOOTH
from hipreg.models import RegistrationNet
from hipreg.models.blocks import Features
from hipreg.models.decoder import LAST_ACTIVATIONS
from hipreg.spatial import IDENTITY_GRADIENT, identity_grid, warp
from hipreg.types import Displacement, Image, Pair, Size

Volume = Float[Tensor, "B 1 D H W"]


@dataclass(frozen=True, slots=True)
class DirectRegistration:
    """One direction.

    Attributes:
        displacements: (B, 3, D, H, W) in voxels for each resolution, the finest first.
        gradient: (B, 3, D, H, W), the finest prediction.
    """

    displacements: Sequence[Displacement]
    gradient: Float[Tensor, "B 3 D H W"]


def direct_register(
    net: RegistrationNet, moving: Image, fixed: Image, *, symmetric: bool
) -> list[DirectRegistration]:
    """Register moving to fixed and, when symmetric, fixed to moving.

    Args:
        net: Its modules are used one by one; without input stride.
        moving: (B, 1, D, H, W) in [0, 1].
        fixed: (B, 1, D, H, W) in [0, 1].
        symmetric: Also run the decoder on the other difference.

    Returns:
        One registration a direction.

    Raises:
        ValueError: If the network works on coarser images.
    """
    if net.input_stride != 1:
        raise ValueError(f"the direct step needs input_stride 1, got {net.input_stride}")
    d, h, w = fixed.shape[2:]
    of_moving, of_fixed = net.encoder(moving), net.encoder(fixed)
    result = [_decode(net, of_moving, of_fixed, (d, h, w))]
    if symmetric:
        result.append(_decode(net, of_fixed, of_moving, (d, h, w)))
    return result


def _decode(
    net: RegistrationNet, moving: Sequence[Features], fixed: Sequence[Features], size: Size
) -> DirectRegistration:
    decoder = net.decoder
    levels = [a - b for a, b in zip(moving, fixed, strict=True)]
    features, heads, predictions = levels[-1], list(decoder.coarse_heads), []
    for block, skip in zip(decoder.blocks, levels[-2::-1], strict=True):
        if heads:
            predictions.append(heads.pop(0)(features))
        features = block(features, skip)
    predictions.append(decoder.head(features))
    return direct_deformations(predictions[::-1], decoder.last_activation, size=size)


def direct_deformations(
    predictions: Sequence[Features], last_activation: str, *, size: Size
) -> DirectRegistration:
    """Deformations of what the network's heads say, one resolution after the other.

    Args:
        predictions: (B, 3, d, h, w) before the last activation, the finest first.
        last_activation: See ``hipreg.models.decoder.LAST_ACTIVATIONS``.
        size: Voxels D, H, W of the full grid.
    """
    activation = LAST_ACTIVATIONS[last_activation]
    gradients = [
        activation(F.interpolate(prediction, size=size, mode="nearest"))
        for prediction in predictions
    ]
    return DirectRegistration([direct_integrate(g) for g in gradients], gradients[0])


def direct_integrate(gradient: Float[Tensor, "B 3 D H W"]) -> Displacement:
    """Sampling positions ``2 * cumsum(g) - 1`` along each component's own axis, less the grid."""
    d, h, w = gradient.shape[2:]
    sums = [torch.cumsum(gradient[:, axis], dim=axis + 1) for axis in range(3)]
    positions: Tensor = 2 * torch.stack(sums, dim=1) - 1
    return positions - identity_grid((d, h, w), device=gradient.device).to(gradient.dtype)


def direct_lcc_loss(
    warped: Volume, fixed: Volume, mask: Bool[Tensor, "B 1 D H W"], window: int
) -> Float[Tensor, " B"]:
    """One minus the mean squared local cross correlation over the mask, by dense convolutions."""
    kernel = torch.ones((1, 1, window, window, window), dtype=warped.dtype, device=warped.device)
    voxels = float(window**3)

    def window_mean(volume: Tensor) -> Tensor:
        return F.conv3d(volume, kernel, padding=window // 2) / voxels

    mean_warped, mean_fixed = window_mean(warped), window_mean(fixed)
    of_warped = window_mean(warped * warped) - mean_warped * mean_warped
    of_fixed = window_mean(fixed * fixed) - mean_fixed * mean_fixed
    covariance = window_mean(warped * fixed) - mean_warped * mean_fixed
    correlation = covariance**2 / ((of_warped + EPSILON) * (of_fixed + EPSILON))
    return 1 - _masked_mean(correlation, mask)


def direct_mse_loss(
    warped: Volume, fixed: Volume, mask: Bool[Tensor, "B 1 D H W"], window: int
) -> Float[Tensor, " B"]:
    """Mean squared difference over the mask; the window is not used."""
    return _masked_mean((warped - fixed) ** 2, mask)


def _masked_mean(volume: Volume, mask: Bool[Tensor, "B 1 D H W"]) -> Float[Tensor, " B"]:
    dims = (1, 2, 3, 4)
    return (volume * mask).sum(dims) / mask.sum(dims).clamp(min=1)


def direct_dice_loss(pair: Pair, displacement: Displacement, labels: Sequence[int]) -> Tensor:
    """One minus the soft Dice of each warped label, (B,), label by label."""
    losses = []
    for label in labels:
        moving = (pair.moving_label == label).to(displacement.dtype)
        fixed = (pair.fixed_label == label).to(displacement.dtype)
        warped = warp(moving, displacement)
        dims = (1, 2, 3, 4)
        overlap = 2 * (warped * fixed).sum(dims) + SMOOTH
        total = (warped**2).sum(dims) + (fixed**2).sum(dims) + SMOOTH
        losses.append(1 - overlap / total)
    return torch.stack(losses).mean(dim=0)


_IMAGE_TERMS: Mapping[str, Callable[[Tensor, Tensor, Tensor, int], Tensor]] = {
    "lcc": direct_lcc_loss,
    "mse": direct_mse_loss,
}
DIRECT_TERMS = ("lcc", "mse", "dice", "l1", "l2")
"""The published terms."""


def direct_objective(
    objective: Objective, registrations: Sequence[DirectRegistration], pair: Pair
) -> Loss:
    """The value of an objective, one direction and one resolution after the other.

    Args:
        objective: Its weights, labels and window are used, and nothing else of it.
        registrations: Moving to fixed and, where there is a second, fixed to moving.
        pair: As it was registered.

    Returns:
        The total and its terms, means over pairs, resolutions and directions.

    Raises:
        ValueError: If the objective has terms that were not published.
    """
    unknown = sorted(set(objective.weights) - set(DIRECT_TERMS))
    if unknown:
        raise ValueError(f"the direct objective knows {DIRECT_TERMS}, got {unknown}")
    back = Pair(
        moving=pair.fixed,
        fixed=pair.moving,
        moving_label=pair.fixed_label,
        fixed_label=pair.moving_label,
    )
    directions = [
        {name: _term(name, objective, found, way) for name in objective.weights}
        for found, way in zip(registrations, (pair, back), strict=False)
    ]
    terms = {
        name: torch.stack([direction[name] for direction in directions]).mean()
        for name in objective.weights
    }
    total = torch.stack([objective.weights[name] * value for name, value in terms.items()]).sum()
    return Loss(total, {name: value.detach() for name, value in terms.items()})


def _term(name: str, objective: Objective, found: DirectRegistration, pair: Pair) -> Tensor:
    if name == "l1":
        return (found.gradient - IDENTITY_GRADIENT).abs().mean()
    if name == "l2":
        return ((found.gradient - IDENTITY_GRADIENT) ** 2).mean()
    if name == "dice":
        return direct_dice_loss(pair, found.displacements[0], objective.labels).mean()
    resolutions = []
    for displacement in found.displacements:
        warped = warp(pair.moving, displacement)
        mask = (warped != 0) & (pair.fixed != 0)
        loss = _IMAGE_TERMS[name](warped, pair.fixed, mask, objective.lcc_window)
        resolutions.append(loss.mean())
    return torch.stack(resolutions).mean()
