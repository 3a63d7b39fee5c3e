"""The contracting half of the V-Net, shared by the moving and the fixed image."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from hipreg.models.blocks import DownBlock, Features, InputBlock


class Encoder(nn.Module):
    """Features of one image at every level, the finest first.

    Args:
        channels: Channels of each level; one more than there are pooling blocks.
        convolutions: Convolutions after each pooling; one number a pooling block.
        norm: See ``hipreg.models.blocks.NORMS``.
        activation: See ``hipreg.models.blocks.ACTIVATIONS``.
    """

    def __init__(
        self, *, channels: Sequence[int], convolutions: Sequence[int], norm: str, activation: str
    ) -> None:
        super().__init__()
        self.input = InputBlock(1, channels[0], activation=activation)
        self.blocks = nn.ModuleList(
            DownBlock(a, b, count, norm=norm, activation=activation)
            for a, b, count in zip(channels[:-1], channels[1:], convolutions, strict=True)
        )

    def forward(self, image: Features) -> list[Features]:
        levels = [self.input(image)]
        for block in self.blocks:
            levels.append(block(levels[-1]))
        return levels
