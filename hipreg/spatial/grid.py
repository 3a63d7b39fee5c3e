"""Voxel coordinates of a grid."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hipreg.types import Size


def identity_grid(size: Size, *, device: torch.device | None = None) -> Float[Tensor, "3 D H W"]:
    """The voxel coordinates of every voxel of a grid.

    Args:
        size: Voxels along D, H, W.
        device: Where the result lies.

    Returns:
        (3, D, H, W), coordinates in voxels in the order D, H, W.
    """
    axes = [torch.arange(n, dtype=torch.float32, device=device) for n in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))
