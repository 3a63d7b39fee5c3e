"""A velocity network that is also shown what a segmentation network makes of both images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm
from typing import Protocol, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hipreg.models.described import Described
from hipreg.models.pair_net import FlowNet, Guidance
from hipreg.models.velocity_net import VelocityArchitecture, VelocityNet
from hipreg.types import Image, Registration


class Segmenter(Protocol):
    """What is needed of a segmentation network, which is a module, too."""

    @property
    def size_multiple(self) -> int:
        """Every side of the images must be a multiple of this."""

    def probabilities(
        self, images: Image, *, flips: Sequence[int] = (), shifted: bool = False
    ) -> Float[Tensor, "B L D H W"]:
        """How probable each of L labels is, the mean over mirroring along some axes, and over
        images as they are and moved by a voxel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedArchitecture:
    """Everything that fixes the shape of both networks; stored with their weights.

    Attributes:
        segmenter: Of the network whose predictions guide; of any kind that segments.
        velocity: Of the network that registers; its features are the segmenter's labels, or none
            where the labels guide nothing but instance optimisation.
        flips: Axes that the segmenter averages its predictions over mirrorings along.
        shifted: Whether it averages over images as they are and moved by a voxel, too, where no
            network is trained.
    """

    segmenter: Described
    velocity: VelocityArchitecture
    flips: tuple[int, ...] = ()
    shifted: bool = False


class GuidedNet(FlowNet):
    """A frozen segmentation network and a velocity network that sees images and predictions.

    Images are all it is given: labels of a pair never enter.

    Args:
        segmenter: A ``Segmenter``; it is not trained any further.
        velocity: Takes as many features as there are labels, or none.
        flips: See ``GuidedArchitecture``.
        shifted: Likewise.
    """

    def __init__(
        self,
        segmenter: nn.Module,
        velocity: VelocityNet,
        *,
        flips: Sequence[int] = (),
        shifted: bool = False,
    ) -> None:
        super().__init__()
        if not (hasattr(segmenter, "probabilities") and hasattr(segmenter, "size_multiple")):
            raise ValueError(f"a {type(segmenter).__name__} segments nothing")
        self.segmenter = segmenter.requires_grad_(False).eval()
        self.velocity = velocity
        self.flips = tuple(flips)
        self.shifted = shifted

    @property
    def size_multiple(self) -> int:
        return lcm(self._segmenter.size_multiple, self.velocity.size_multiple)

    @property
    def _segmenter(self) -> Segmenter:
        return self.segmenter  # type: ignore[return-value]

    def train(self, mode: bool = True) -> Self:
        """As of every module, except that the segmenter stays as it is used."""
        super().train(mode)
        self.segmenter.eval()
        return self

    def guidance(self, moving: Image, fixed: Image) -> Guidance:
        with torch.no_grad():
            images = torch.cat([moving, fixed])
            shifted = self.shifted and not self.training
            return self._segmenter.probabilities(images, flips=self.flips, shifted=shifted)

    def forward(
        self, moving: Image, fixed: Image, guidance: Guidance | None = None
    ) -> Registration:
        self.check(moving, fixed)
        return self.velocity(moving, fixed, self._shown(moving, fixed, guidance))

    def both_directions(
        self, moving: Image, fixed: Image, guidance: Guidance | None = None
    ) -> Registration:
        self.check(moving, fixed)
        return self.velocity.both_directions(moving, fixed, self._shown(moving, fixed, guidance))

    def _shown(self, moving: Image, fixed: Image, guidance: Guidance | None) -> Guidance | None:
        """What the velocity network takes of the predicted labels."""
        if not self.velocity.architecture.features:
            return None
        return self.guidance(moving, fixed) if guidance is None else guidance
