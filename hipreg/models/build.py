"""A registration network from a description of plain values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from hipreg.models.decoder import Decoder
from hipreg.models.encoder import Encoder
from hipreg.models.registration_net import RegistrationNet

CLASSIC_VNET = (1, 2, 3, 2, 2, 2)
"""Convolutions a level, the finest first, of the "classic V-Net"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Everything that fixes the shape of a registration network; stored with its weights.

    Attributes:
        channels: Channels of each level before multiplication, the finest first.
        channel_multiplication: Factor on all channels; 8 in the published models.
        pool_blocks: Number of poolings; the channels beyond are not used.
        convolutions: Convolutions after each pooling, the finest first.
        norm: ``instance``, ``batch`` or ``none``.
        activation: ``leaky_relu``, ``relu``, ``prelu``, ``tanh`` or ``none``.
        last_activation: ``sigmoid``, ``tanh`` or ``linear``.
        zero_init: Start at the identity: all heads give gradient 0.5.
        freeze_last_layer: Do not train the finest head.
        deep_supervision: Also predict a gradient at every coarser level.
        input_stride: Work on images average-pooled by this factor.
    """

    channels: tuple[int, ...] = (4, 8, 16, 32, 64, 128, 256)
    channel_multiplication: float = 8
    pool_blocks: int = 4
    convolutions: tuple[int, ...] = CLASSIC_VNET
    norm: str = "instance"
    activation: str = "leaky_relu"
    last_activation: str = "sigmoid"
    zero_init: bool = True
    freeze_last_layer: bool = False
    deep_supervision: bool = True
    input_stride: int = 1

    def __post_init__(self) -> None:
        needed = {"channels": self.pool_blocks + 1, "convolutions": self.pool_blocks}
        for name, count in needed.items():
            values = getattr(self, name)
            if len(values) < count or min(values) < 1:
                raise ValueError(
                    f"{self.pool_blocks} pooling blocks need {count} positive {name}, got {values}"
                )
        if self.pool_blocks < 1 or self.input_stride < 1:
            raise ValueError(
                "pool_blocks and input_stride must be at least 1, got "
                f"{self.pool_blocks} and {self.input_stride}"
            )
        if not math.isfinite(self.channel_multiplication) or min(self.widths) < 1:
            raise ValueError(
                f"channel_multiplication {self.channel_multiplication} leaves a level of "
                f"{self.channels[: self.pool_blocks + 1]} without channels"
            )

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each level, the finest first."""
        used = self.channels[: self.pool_blocks + 1]
        return tuple(int(width * self.channel_multiplication) for width in used)


def build(architecture: Architecture, *, seed: int = 0) -> RegistrationNet:
    """A freshly initialised network.

    Args:
        architecture: Its description.
        seed: Of the initial weights; the global random state is left alone.

    Returns:
        The network on the CPU in channels-last memory.

    Raises:
        ValueError: If the architecture names an unknown norm or activation.
    """
    a = architecture
    convolutions = a.convolutions[: a.pool_blocks]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = Encoder(
            channels=a.widths, convolutions=convolutions, norm=a.norm, activation=a.activation
        )
        decoder = Decoder(
            channels=a.widths,
            convolutions=convolutions,
            norm=a.norm,
            activation=a.activation,
            last_activation=a.last_activation,
            deep_supervision=a.deep_supervision,
        )
    if a.zero_init:
        for head in (decoder.head, *decoder.coarse_heads):
            _zero(head)
    if a.freeze_last_layer:
        decoder.head.requires_grad_(False)
    net = RegistrationNet(encoder, decoder, input_stride=a.input_stride)
    return net.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


def _zero(head: nn.Module) -> None:
    for parameter in head.parameters():
        nn.init.zeros_(parameter)


def parameter_count(net: nn.Module) -> int:
    """Number of trained and frozen values of a network."""
    return sum(parameter.numel() for parameter in net.parameters())
