"""A U-Net that labels one image, shaped for processors: no convolution works at full size.

The image goes in and the logits come out by a rearrangement of voxels into channels and back
(Shi et al., arXiv 1609.05158), so that all features lie on a grid of half the size, where a
convolution's channels are wide enough to use a processor's vector units whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hipreg.models.blocks import Features, convolutions, normalised
from hipreg.types import Image, LabelMap

Logits = Float[Tensor, "B C D H W"]
"""One channel for the background, then one for each label."""

_SPACE = (2, 3, 4)
_STYLE = {"norm": "instance", "activation": "leaky_relu"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentationArchitecture:
    """Everything that fixes the shape of a segmentation network; stored with its weights.

    Attributes:
        labels: The label values that it tells apart, beside the background 0.
        widths: Channels of each level, the finest first; multiples of 16 are fast.
        blocks: Residual blocks of each level, in the encoder and again in the decoder; the
            coarsest has them once.
        stride: Side of the cubes of voxels that become channels of one voxel.
    """

    labels: tuple[int, ...] = (1, 2)
    widths: tuple[int, ...] = (32, 64, 128)
    blocks: tuple[int, ...] = (1, 1, 1)
    stride: int = 2

    def __post_init__(self) -> None:
        if not self.labels or min(self.labels) < 1 or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels must be positive and distinct, got {self.labels}")
        if not self.widths or len(self.widths) != len(self.blocks) or min(self.widths) < 1:
            raise ValueError(
                "a segmentation network needs a positive width and a number of blocks for each "
                f"level, got widths {self.widths} and blocks {self.blocks}"
            )
        if min(self.blocks) < 0 or self.stride < 1:
            raise ValueError(
                "blocks must be at least 0 and stride at least 1, got "
                f"{self.blocks} and {self.stride}"
            )


class ResidualBlock(nn.Module):
    """Two convolutions whose result is added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = convolutions(channels, channels, 2, **_STYLE)

    def forward(self, x: Features) -> Features:
        result: Tensor = self.body(x)
        return result + x


class SegmentationNet(nn.Module):
    """Logits of the background and of each label, for every voxel.

    Args:
        architecture: Its description.
    """

    def __init__(self, architecture: SegmentationArchitecture) -> None:
        super().__init__()
        a = self.architecture = architecture
        cube = a.stride**3
        stem = nn.Conv3d(cube, a.widths[0], 3, padding=1)
        self.stem = normalised(stem, a.widths[0], **_STYLE)
        self.encoder = nn.ModuleList(
            _blocks(w, n) for w, n in zip(a.widths, a.blocks, strict=True)
        )
        self.down = nn.ModuleList(
            normalised(nn.Conv3d(fine, coarse, 2, stride=2), coarse, **_STYLE)
            for fine, coarse in pairwise(a.widths)
        )
        self.up = nn.ModuleList(
            normalised(nn.ConvTranspose3d(coarse, fine, 2, stride=2), fine, **_STYLE)
            for fine, coarse in pairwise(a.widths)
        )
        self.decoder = nn.ModuleList(
            _blocks(w, n) for w, n in zip(a.widths[:-1], a.blocks[:-1], strict=True)
        )
        self.head = nn.Conv3d(a.widths[0], cube * (len(a.labels) + 1), 1)

    @property
    def size_multiple(self) -> int:
        """Every side of the images must be a multiple of this."""
        return self.architecture.stride << len(self.down)

    def forward(self, images: Image) -> Logits:
        """Label images.

        Args:
            images: (B, 1, D, H, W) in [0, 1].

        Returns:
            (B, L + 1, D, H, W) logits of the background and the L labels; float32 under autocast
            too.

        Raises:
            ValueError: If the shape is another, or a side is no multiple of ``size_multiple``.
        """
        self._check(images)
        stride = self.architecture.stride
        features = self.stem(
            voxels_to_channels(images, stride).contiguous(memory_format=torch.channels_last_3d)
        )
        features = self.encoder[0](features)
        skips = []
        for down, blocks in zip(self.down, self.encoder[1:], strict=True):
            skips.append(features)
            features = blocks(down(features))
        for up, blocks in zip(reversed(self.up), reversed(self.decoder), strict=True):
            features = blocks(up(features) + skips.pop())
        return channels_to_voxels(self.head(features).float(), stride)

    def probabilities(
        self, images: Image, *, flips: Sequence[int] = (), shifted: bool = False
    ) -> Float[Tensor, "B L D H W"]:
        """How probable each label is in each voxel; what is left to 1 is the background.

        Args:
            images: (B, 1, D, H, W) in [0, 1].
            flips: Axes (0, 1 or 2 for D, H or W) to mirror the images along: the mean is taken
                over all ways to do so, the images as they are among them.
            shifted: Also average over the images as they are and moved by a voxel along every
                axis, so that other voxels make up the cubes that the network works on.

        Returns:
            (B, L, D, H, W) in [0, 1], in the order of the architecture's labels.

        Raises:
            ValueError: As ``forward``, or if an axis is none.
        """
        ways = [
            _moved(self(_moved(images, shift).flip(axes)).softmax(1)[:, 1:].flip(axes), -shift)
            for shift in ((0, 1) if shifted else (0,))
            for axes in _mirrored(flips)
        ]
        return torch.stack(ways).mean(0) if len(ways) > 1 else ways[0]

    def label_map(self, images: Image, *, flips: Sequence[int] = ()) -> LabelMap:
        """The most probable label of each voxel; arguments and errors as ``probabilities``."""
        return hard_labels(
            self.probabilities(images, flips=flips), labels=self.architecture.labels
        )

    def _check(self, images: Tensor) -> None:
        if images.ndim != 5 or images.shape[1] != 1:
            raise ValueError(f"images must be (B, 1, D, H, W), got {tuple(images.shape)}")
        if any(side % self.size_multiple for side in images.shape[2:]):
            raise ValueError(
                f"every side of the images must be a multiple of {self.size_multiple} "
                f"({len(self.down)} poolings of cubes of {self.architecture.stride} voxels), got "
                f"{tuple(images.shape[2:])}"
            )


def build_segmentation(
    architecture: SegmentationArchitecture, *, seed: int = 0
) -> SegmentationNet:
    """A freshly initialised network, on the CPU in channels-last memory.

    Args:
        architecture: Its description.
        seed: Of the initial weights; the global random state is left alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = SegmentationNet(architecture)
    return net.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


def voxels_to_channels(volume: Features, side: int) -> Features:
    """Cubes of ``side`` voxels as the channels of one voxel: (B, C s^3, D / s, H / s, W / s)."""
    batch, channels, *size = volume.shape
    d, h, w = (length // side for length in size)
    cubes = volume.reshape(batch, channels, d, side, h, side, w, side)
    return cubes.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(batch, channels * side**3, d, h, w)


def channels_to_voxels(features: Features, side: int) -> Features:
    """What ``voxels_to_channels`` undoes."""
    batch, channels, d, h, w = features.shape
    cubes = features.reshape(batch, channels // side**3, side, side, side, d, h, w)
    return cubes.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(
        batch, channels // side**3, d * side, h * side, w * side
    )


def hard_labels(probabilities: Float[Tensor, "B L D H W"], *, labels: Sequence[int]) -> LabelMap:
    """The most probable of the labels and the background, which has what is left to 1.

    Args:
        probabilities: (B, L, D, H, W) of the labels.
        labels: Their L values.

    Returns:
        (B, 1, D, H, W).
    """
    background = 1 - probabilities.sum(1, keepdim=True)
    values = torch.tensor([0, *labels], dtype=torch.uint8, device=probabilities.device)
    return values[torch.cat([background, probabilities], dim=1).argmax(1, keepdim=True)]


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels) for _ in range(count)))


def _moved(volume: Tensor, by: int) -> Tensor:
    """The volume moved by so many voxels along all axes.

    What leaves at one side enters at the other: nothing is lost, and a plane of neighbours that
    are not there is what the network knows from its zero padding.
    """
    return volume.roll((by, by, by), _SPACE) if by else volume


def _mirrored(flips: Sequence[int]) -> Iterator[list[int]]:
    """The dimensions of (B, C, D, H, W) to mirror, for every subset of the axes."""
    axes = sorted(set(flips))
    if any(axis not in (0, 1, 2) for axis in axes):
        raise ValueError(f"flips are axes out of 0, 1 and 2, got {list(flips)}")
    for count in range(len(axes) + 1):
        yield from ([axis + 2 for axis in some] for some in combinations(axes, count))
