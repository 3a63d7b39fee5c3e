"""Random changes of intensity: what another scanner, coil or noise would have made of an image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hipreg.types import Image

_DARKEST = 1e-6
"""The least that a covered voxel may become: 0 says that the scan did not cover it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntensityChange:
    """What may be drawn.

    Attributes:
        max_gamma: Largest natural logarithm, up or down, of the exponent of intensities.
        max_brightness: Largest relative change of all intensities.
        max_noise: Largest standard deviation of Gaussian noise.
    """

    max_gamma: float = 0.3
    max_brightness: float = 0.1
    max_noise: float = 0.05


@dataclass(frozen=True, slots=True)
class Intensities:
    """The changes of one batch.

    Attributes:
        exponent: (B,) of the intensities.
        factor: (B,) on the intensities.
        noise: (B,) standard deviation.
        seed: Of the noise of the whole batch.
    """

    exponent: Float[Tensor, " B"]
    factor: Float[Tensor, " B"]
    noise: Float[Tensor, " B"]
    seed: int


def draw_intensities(
    change: IntensityChange, *, batch: int, generator: torch.Generator
) -> Intensities:
    """Draw the changes of one batch, on the CPU.

    Args:
        change: What may be drawn.
        batch: Number of images.
        generator: The only source of randomness, on the CPU.
    """
    drawn = torch.rand(batch, 3, generator=generator)
    gamma, brightness = (drawn[:, :2] * 2 - 1).unbind(1)
    seed = int(torch.randint(0, 2**31, (), generator=generator))
    return Intensities(
        exponent=(gamma * change.max_gamma).exp(),
        factor=1 + brightness * change.max_brightness,
        noise=drawn[:, 2] * change.max_noise,
        seed=seed,
    )


def change_intensities(images: Image, drawn: Intensities) -> Image:
    """Apply drawn changes.

    Args:
        images: (B, 1, D, H, W) in [0, 1].
        drawn: Of as many images.

    Returns:
        (B, 1, D, H, W) in [0, 1]; exactly 0 where the image is, and nowhere else.
    """
    exponent, factor, spread = (
        value.view(-1, 1, 1, 1, 1).to(images.device)
        for value in (drawn.exponent, drawn.factor, drawn.noise)
    )
    changed = images.clamp(min=_DARKEST) ** exponent * factor
    if bool((drawn.noise > 0).any()):
        generator = torch.Generator().manual_seed(drawn.seed)
        changed += spread * torch.randn(images.shape, generator=generator).to(images.device)
    return torch.where(images > 0, changed.clamp(_DARKEST, 1), torch.zeros_like(changed))
