"""Small volumes and networks that many tests share."""

from __future__ import annotations

import os

import pytest
import torch
from torch import Tensor

from hipreg.models import Architecture
from hipreg.types import Pair, Size

SMALL: Size = (16, 16, 16)

TINY = Architecture(channel_multiplication=0.5, pool_blocks=2)
"""A network that trains in milliseconds on ``SMALL`` volumes."""


def generator(seed: int = 0) -> torch.Generator:
    """A generator of a fixed seed."""
    return torch.Generator().manual_seed(seed)


def smooth_images(count: int, *, size: Size = SMALL, seed: int = 0) -> Tensor:
    """(count, 1, D, H, W) smooth images in (0, 1), none of them 0."""
    noise = torch.rand(count, 1, *(side // 4 for side in size), generator=generator(seed))
    smooth = torch.nn.functional.interpolate(noise, size=size, mode="trilinear")
    return smooth * 0.9 + 0.05


def box_label(size: Size = SMALL, *, shift: int = 0) -> Tensor:
    """(1, 1, D, H, W) with label 1 in one box and label 2 in a box behind it."""
    label = torch.zeros(1, 1, *size, dtype=torch.uint8)
    d, h, w = size
    middle = slice(w // 4 + shift, 3 * w // 4 + shift)
    label[:, :, d // 4 : 3 * d // 4, h // 4 : h // 2, middle] = 1
    label[:, :, d // 4 : 3 * d // 4, h // 2 : 3 * h // 4, middle] = 2
    return label


def small_pair(batch: int = 2, *, size: Size = SMALL, seed: int = 0) -> Pair:
    """Pairs of different smooth images with box labels that are shifted against each other."""
    images = smooth_images(2 * batch, size=size, seed=seed)
    return Pair(
        moving=images[:batch],
        fixed=images[batch:],
        moving_label=box_label(size, shift=1).repeat(batch, 1, 1, 1, 1),
        fixed_label=box_label(size).repeat(batch, 1, 1, 1, 1),
    )


def random_displacement(batch: int, *, size: Size = SMALL, largest: float = 2.0) -> Tensor:
    """(batch, 3, D, H, W) independent displacements of up to ``largest`` voxels."""
    return (torch.rand(batch, 3, *size, generator=generator(1)) * 2 - 1) * largest


def skip_or_fail(reason: str) -> None:
    """Skip the running test, or fail it where HIPREG_REQUIRE_ALL says that nothing may skip."""
    if os.environ.get("HIPREG_REQUIRE_ALL") == "1":
        pytest.fail(f"HIPREG_REQUIRE_ALL=1, and {reason}")
    pytest.skip(reason)


class Displacements:
    """Parameters that are displacements themselves."""

    identity = 0.0

    def __call__(self, parameters: torch.Tensor) -> torch.Tensor:
        return parameters
