"""One velocity a pair, from coarse to fine, antisymmetric in its images by construction or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hipreg.models.blocks import Features, convolutions, normalised
from hipreg.models.pair_net import FlowNet, Guidance
from hipreg.models.segmentation import voxels_to_channels
from hipreg.spatial import VelocityIntegration, exponential, upsample, warp_held
from hipreg.types import Image, Registration, Size

STRIDE = 2
"""Voxels between those of the finest level, on which the velocity lives."""

HALF_SQUARINGS = 5
"""Of half the velocity, one less than of the whole."""


STYLE = {"norm": "instance", "activation": "leaky_relu"}


@dataclass(frozen=True, slots=True, kw_only=True)
class VelocityArchitecture:
    """Everything that fixes the shape of a velocity network; stored with its weights.

    Attributes:
        channels: Channels of each level, that of half resolution first, each half the size of the
            one before.
        encoder_convolutions: Convolutions of each level of the encoder.
        decoder_convolutions: Convolutions of each level of the decoder.
        features: Channels beside the image that are given of each image.
        deep_supervision: Also return the velocity of every coarser level.
        zero_init: Start at the identity.
        antisymmetric: Exchanging the images changes the sign of the velocity and nothing else.
            Otherwise the velocity is the one that suits moving to fixed best.
    """

    channels: tuple[int, ...] = (16, 32, 64, 64)
    encoder_convolutions: tuple[int, ...] = (1, 1, 1, 1)
    decoder_convolutions: tuple[int, ...] = (1, 1, 1, 1)
    features: int = 0
    deep_supervision: bool = False
    zero_init: bool = True
    antisymmetric: bool = True

    def __post_init__(self) -> None:
        lengths = {
            len(values)
            for values in (self.channels, self.encoder_convolutions, self.decoder_convolutions)
        }
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(
                "channels and both convolutions need one entry a level, got "
                f"{self.channels}, {self.encoder_convolutions} and {self.decoder_convolutions}"
            )
        if min(*self.channels, *self.encoder_convolutions, *self.decoder_convolutions) < 1:
            raise ValueError(
                "a level needs at least one channel and convolution, got "
                f"{self.channels}, {self.encoder_convolutions} and {self.decoder_convolutions}"
            )
        if self.features < 0:
            raise ValueError(f"features are 0 or more channels, got {self.features}")


class VelocityNet(FlowNet):
    """A siamese encoder, and a decoder that meets both images half way at every level.

    With v the velocity so far, the features of moving are read along exp(v / 2) and those of fixed
    along exp(-v / 2); what is still missing is a function of both in this order less the same
    function in the other, and is added to v. Exchanging the images therefore changes the sign of v
    and nothing else, and the displacement of one direction is the inverse of the other's. Where
    the architecture is not antisymmetric, nothing is taken away from the function, and only the
    displacement of -v is the inverse of v's.

    Args:
        architecture: Its shape.
    """

    def __init__(self, architecture: VelocityArchitecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        inputs = STRIDE**3 * (1 + a.features)
        widths = (inputs, *a.channels)
        self.encoder = nn.ModuleList(
            nn.Sequential(
                _entrance(level, widths[level], width),
                convolutions(width, width, a.encoder_convolutions[level], **STYLE),
            )
            for level, width in enumerate(a.channels)
        )
        below = (*a.channels[1:], 0)
        self.decoder = nn.ModuleList(
            convolutions(2 * width + deeper, width, count, **STYLE)
            for width, deeper, count in zip(a.channels, below, a.decoder_convolutions, strict=True)
        )
        self.heads = nn.ModuleList(nn.Conv3d(width, 3, 3, padding=1) for width in a.channels)

    @property
    def size_multiple(self) -> int:
        return STRIDE << (len(self.encoder) - 1)

    def forward(
        self, moving: Image, fixed: Image, guidance: Guidance | None = None
    ) -> Registration:
        """Register moving to fixed; ``guidance`` is the features of all moving, then all fixed."""
        return self._registration(self._velocities(moving, fixed, guidance), fixed)

    def both_directions(
        self, moving: Image, fixed: Image, guidance: Guidance | None = None
    ) -> Registration:
        """Images are encoded once; the other direction of an antisymmetric network is the same
        velocity, negative."""
        found = self._velocities(moving, fixed, guidance, both=not self.architecture.antisymmetric)
        if self.architecture.antisymmetric:
            found = [torch.cat([v, -v]) for v in found]
        return self._registration(found, fixed)

    def _registration(self, velocities: Sequence[Tensor], fixed: Image) -> Registration:
        d, h, w = fixed.shape[2:]
        kept = velocities if self.architecture.deep_supervision else velocities[:1]
        return Registration(tuple(kept), VelocityIntegration((d, h, w)))

    def _velocities(
        self, moving: Image, fixed: Image, guidance: Guidance | None, *, both: bool = False
    ) -> list[Float[Tensor, "_ 3 _ _ _"]]:
        """The velocity of every level in voxels of the images, the finest first; of ``both``
        directions, all of the first before all of the second."""
        self.check(moving, fixed)
        images = torch.cat([moving, fixed])
        given = images if guidance is None else torch.cat([images, guidance.to(images)], dim=1)
        if given.shape[1] != 1 + self.architecture.features or len(given) != len(images):
            raise ValueError(
                f"this network takes {self.architecture.features} channels of features of "
                f"{len(images)} images, got {None if guidance is None else tuple(guidance.shape)}"
            )
        levels = self._encode(given)
        if both:
            levels = [torch.cat([features, _exchanged(features)]) for features in levels]
        velocities: list[Tensor] = []
        context: Tensor | None = None
        for level in reversed(range(len(levels))):
            coarser = velocities[0] if velocities else None
            velocity, context = self._refine(level, levels[level], coarser, context)
            velocities.insert(0, velocity)
        return velocities

    def _encode(self, given: Features) -> list[Features]:
        features = voxels_to_channels(given, STRIDE).contiguous(
            memory_format=torch.channels_last_3d
        )
        levels = []
        for block in self.encoder:
            features = block(features)
            levels.append(features)
        return levels

    def _refine(
        self, level: int, features: Features, coarser: Tensor | None, context: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The velocity of a level, and what the decoder made of it: in both orders of the images
        where these are to be told apart by the sign alone."""
        size = _size(features)
        velocity = None
        if coarser is not None and context is not None:
            velocity = upsample(coarser, size)
            features = half_way(features.float(), velocity / (STRIDE << level))
            context = _doubled(context)
        antisymmetric = self.architecture.antisymmetric
        two = (features, _exchanged(features)) if antisymmetric else features.chunk(2)
        found = self.decoder[level](torch.cat([*two, *([] if context is None else [context])], 1))
        missing = self.heads[level](found).float()
        if antisymmetric:
            there, back = missing.chunk(2)
            missing = there - back
        missing = missing * (STRIDE << level)
        return missing if velocity is None else velocity + missing, found


def _entrance(level: int, inputs: int, width: int) -> nn.Module:
    """From the folded images, or from the level before at half its size."""
    pool = {"kernel_size": 3, "padding": 1} if level == 0 else {"kernel_size": 2, "stride": 2}
    convolution = nn.Conv3d(inputs, width, **pool)  # type: ignore[arg-type]
    return normalised(convolution, width, **STYLE)


def half_way(
    features: Float[Tensor, "2*B C D H W"], velocity: Float[Tensor, "B 3 D H W"]
) -> Float[Tensor, "2*B C D H W"]:
    """Read the first half of a batch along exp(v / 2), the second along exp(-v / 2).

    Args:
        features: Of all moving images, then of all fixed ones.
        velocity: In voxels of this grid.
    """
    half = velocity / 2
    return warp_held(features, exponential(torch.cat([half, -half]), squarings=HALF_SQUARINGS))


def _exchanged(features: Features) -> Features:
    """The second half of a batch before the first."""
    return torch.cat(features.chunk(2)[::-1])


def _doubled(features: Features) -> Features:
    """Twice the size, every voxel repeated."""
    result: Tensor = nn.functional.interpolate(features, scale_factor=2, mode="nearest")
    return result


def _size(volume: Tensor) -> Size:
    d, h, w = volume.shape[2:]
    return d, h, w


def build_velocity_net(architecture: VelocityArchitecture, *, seed: int = 0) -> VelocityNet:
    """A freshly initialised network on the CPU, in channels-last memory.

    Args:
        architecture: Its description.
        seed: Of the initial weights; the global random state is left alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = VelocityNet(architecture)
    if architecture.zero_init:
        for parameter in net.heads.parameters():
            nn.init.zeros_(parameter)
    return net.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]
