"""The siamese registration network of Estienne et al. (arXiv 2010.10897)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from hipreg.models.blocks import Features
from hipreg.models.decoder import Decoder
from hipreg.models.encoder import Encoder
from hipreg.models.pair_net import PairNet
from hipreg.spatial import GradientIntegration
from hipreg.types import Image, Registration, Size


class RegistrationNet(PairNet):
    """One encoder for both images, features merged by subtraction, one decoder.

    Args:
        encoder: Features of one image at every level.
        decoder: Gradients from merged features.
        input_stride: Average-pool the images by this factor first. The network then works, and
            predicts gradients, on the coarser grid; displacements are of full size all the same.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, *, input_stride: int = 1) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.input_stride = input_stride

    @property
    def size_multiple(self) -> int:
        return self.input_stride << len(self.encoder.blocks)

    def forward(self, moving: Image, fixed: Image) -> Registration:
        levels = [torch.sub(*level.chunk(2)) for level in self._encode(moving, fixed)]
        return self._register(levels, _size(fixed))

    def both_directions(self, moving: Image, fixed: Image) -> Registration:
        levels: list[Features] = [
            _BothDifferences.apply(level)  # type: ignore[no-untyped-call]
            for level in self._encode(moving, fixed)
        ]
        return self._register(levels, _size(fixed))

    def _encode(self, moving: Image, fixed: Image) -> list[Features]:
        """Features at every level, of batch 2B: those of moving, then those of fixed."""
        self.check(moving, fixed)
        images = torch.cat([moving, fixed])
        if self.input_stride > 1:
            images = F.avg_pool3d(images, self.input_stride)
        levels: list[Features] = self.encoder(
            images.contiguous(memory_format=torch.channels_last_3d)
        )
        return levels

    def _register(self, levels: list[Features], size: Size) -> Registration:
        gradients: list[Tensor] = self.decoder(levels)
        # Predictions on the network's own coarse grid are not to leave steps in the deformation.
        upsampling: Literal["nearest", "linear"] = "linear" if self.input_stride > 1 else "nearest"
        return Registration(tuple(gradients), GradientIntegration(size, upsampling))


class _BothDifferences(torch.autograd.Function):
    """Of a batch of two halves: first less second, then second less first. Its own adjoint."""

    @staticmethod
    def forward(ctx: Any, halves: Tensor) -> Tensor:
        result = torch.empty_like(halves)
        first, second = result.chunk(2)
        torch.neg(torch.sub(*halves.chunk(2), out=first), out=second)
        return result

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Tensor:
        result: Tensor = _BothDifferences.apply(upstream)  # type: ignore[no-untyped-call]
        return result


def _size(image: Tensor) -> Size:
    d, h, w = image.shape[2:]
    return d, h, w
