"""The expanding half of the V-Net and the heads that read gradients off it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from hipreg.models.blocks import Features, UpBlock

LAST_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": lambda x: 0.5 + 0.5 * torch.tanh(x),
    "linear": lambda x: 0.5 + x,
}
"""From a head's output to a spatial gradient; 0 becomes 0.5, the identity."""


class Decoder(nn.Module):
    """Spatial gradients from merged features.

    Args:
        channels: Channels of each level, the finest first, as of the encoder.
        convolutions: Convolutions of each level, the finest first, as of the encoder.
        norm: See ``hipreg.models.blocks.NORMS``.
        activation: See ``hipreg.models.blocks.ACTIVATIONS``.
        last_activation: See ``LAST_ACTIVATIONS``.
        deep_supervision: Also predict a gradient from the input of every block.
    """

    def __init__(
        self,
        *,
        channels: Sequence[int],
        convolutions: Sequence[int],
        norm: str,
        activation: str,
        last_activation: str,
        deep_supervision: bool,
    ) -> None:
        super().__init__()
        if last_activation not in LAST_ACTIVATIONS:
            raise ValueError(
                f"last_activation must be one of {tuple(LAST_ACTIVATIONS)}, "
                f"got {last_activation!r}"
            )
        self.last_activation = last_activation
        deep, shallow = channels[:0:-1], channels[-2::-1]
        self.blocks = nn.ModuleList(
            UpBlock(a, b, count, norm=norm, activation=activation)
            for a, b, count in zip(deep, shallow, reversed(convolutions), strict=True)
        )
        self.head = nn.Conv3d(channels[0], 3, 3, padding=1)
        self.coarse_heads = nn.ModuleList(
            nn.Conv3d(width, 3, 3, padding=1) for width in (deep if deep_supervision else [])
        )

    def forward(self, levels: Sequence[Features]) -> list[Features]:
        """Gradients in (0, 1), the finest first; (B, 3, d, h, w) each at its own size."""
        features, *skips = reversed(levels)
        inputs = []
        for block, skip in zip(self.blocks, skips, strict=True):
            inputs.append(features)
            features = block(features, skip)
        coarse = [head(x) for head, x in zip(self.coarse_heads, inputs, strict=False)]
        activation = LAST_ACTIVATIONS[self.last_activation]
        return [activation(x.float()) for x in [self.head(features), *reversed(coarse)]]
