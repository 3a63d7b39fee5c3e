"""The convolution blocks of the V-Net."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hipreg.models.instance_norm import InstanceNorm

LEAKY_SLOPE = 0.01
NORMS = ("instance", "batch", "none")
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky_relu": lambda: nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
    "relu": nn.ReLU,
    "prelu": nn.PReLU,
    "tanh": nn.Tanh,
    "none": nn.Identity,
}

Features = Float[Tensor, "B C D H W"]


def make_norm(norm: str, channels: int) -> nn.Module:
    """A normalisation layer by name (see ``NORMS``)."""
    if norm == "instance":
        return InstanceNorm()
    if norm == "batch":
        return nn.BatchNorm3d(channels)
    if norm == "none":
        return nn.Identity()
    raise ValueError(f"norm must be one of {NORMS}, got {norm!r}")


def make_activation(activation: str) -> nn.Module:
    """An activation layer by name (see ``ACTIVATIONS``)."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {tuple(ACTIVATIONS)}, got {activation!r}")
    return ACTIVATIONS[activation]()


def normalised(convolution: nn.Module, channels: int, *, norm: str, activation: str) -> nn.Module:
    """Convolution, normalisation, activation."""
    if (norm, activation) == ("instance", "leaky_relu"):
        return nn.Sequential(convolution, InstanceNorm(slope=LEAKY_SLOPE))
    return nn.Sequential(convolution, make_norm(norm, channels), make_activation(activation))


def convolutions(
    in_channels: int, out_channels: int, count: int, *, norm: str, activation: str
) -> nn.Sequential:
    """``count`` 3^3 convolutions, each with normalisation and activation."""
    widths = [in_channels, *[out_channels] * count]
    return nn.Sequential(
        *(
            normalised(nn.Conv3d(a, b, 3, padding=1), b, norm=norm, activation=activation)
            for a, b in pairwise(widths)
        )
    )


class InputBlock(nn.Module):
    """Two convolutions at full size; the second adds to the first."""

    def __init__(self, in_channels: int, out_channels: int, *, activation: str) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv3d(in_channels, out_channels, 3, padding=1), make_activation(activation)
        )
        self.second = nn.Sequential(
            nn.Conv3d(out_channels, out_channels, 3, padding=1), make_activation(activation)
        )

    def forward(self, x: Features) -> Features:
        first: Tensor = self.first(x)
        second: Tensor = self.second(first)
        return first + second


class DownBlock(nn.Module):
    """Halve the size by a strided convolution, then ``count`` convolutions."""

    def __init__(
        self, in_channels: int, out_channels: int, count: int, *, norm: str, activation: str
    ) -> None:
        super().__init__()
        pool = nn.Conv3d(in_channels, out_channels, 2, stride=2)
        self.pool = normalised(pool, out_channels, norm=norm, activation=activation)
        self.body = convolutions(
            out_channels, out_channels, count, norm=norm, activation=activation
        )

    def forward(self, x: Features) -> Features:
        result: Tensor = self.body(self.pool(x))
        return result


class UpBlock(nn.Module):
    """Double the size, concatenate the skip, ``count`` convolutions, add the upsampled input."""

    def __init__(
        self, in_channels: int, out_channels: int, count: int, *, norm: str, activation: str
    ) -> None:
        super().__init__()
        unpool = nn.ConvTranspose3d(in_channels, out_channels, 2, stride=2)
        self.unpool = normalised(unpool, out_channels, norm=norm, activation=activation)
        self.body = convolutions(
            2 * out_channels, out_channels, count, norm=norm, activation=activation
        )

    def forward(self, x: Features, skip: Features) -> Features:
        up: Tensor = self.unpool(x)
        refined: Tensor = self.body(torch.cat([up, skip], dim=1))
        return up + refined
