"""From predicted spatial gradients to a displacement."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from hipreg.spatial.axis import apply_along
from hipreg.types import Displacement, Size

IDENTITY_GRADIENT = 0.5
"""The gradient of the identity: twice this is one voxel of position a voxel."""


def integrate_gradients(
    gradient: Float[Tensor, "B 3 d h w"],
    *,
    size: Size,
    upsampling: Literal["nearest", "linear"] = "nearest",
) -> Displacement:
    """Integrate spatial gradients, each component along its own axis (Estienne et al. 2020).

    With N voxels along an axis, the sampling position of voxel i in normalised coordinates is
    ``(4 * sum(g[0..i]) - 2) / (N - 1) - 1``, that is ``2 * sum(g[0..i]) - 1`` in voxels. Positive
    gradients therefore never fold a line on itself along its own axis.

    A coarse gradient stands for its upsampling. Only the component's own axis is integrated, on
    coarse lines; the other two are upsampled afterwards, which is the same at a fraction of the
    work.

    Args:
        gradient: (B, 3, d, h, w) in (0, 1), 0.5 for the identity; its size divides ``size``.
        size: Voxels D, H, W of the full grid.
        upsampling: ``nearest`` as published, or ``linear``, without steps between coarse voxels.

    Returns:
        (B, 3, D, H, W) displacement in voxels.

    Raises:
        ValueError: If ``gradient`` is not (B, 3, d, h, w), or its size does not divide ``size``.
    """
    coarse = tuple(gradient.shape[2:])
    if gradient.ndim != 5 or gradient.shape[1] != 3:
        raise ValueError(f"a gradient is (B, 3, d, h, w), got {tuple(gradient.shape)}")
    if any(full % part for full, part in zip(size, coarse, strict=True)):
        raise ValueError(f"a gradient of size {coarse} does not divide the grid {size}")
    deviation = gradient.float() - IDENTITY_GRADIENT
    components = []
    for axis in range(3):
        component = deviation[:, axis]
        for other in range(3):
            operator = upsample_matrix(coarse[other], size[other], upsampling).to(component.device)
            if other == axis:
                operator = 2 * operator.cumsum(0)
            if other == axis or coarse[other] != size[other]:
                component = apply_along(operator, component, other - 3)
        components.append(component)
    return torch.stack(components, dim=1)


def upsample_matrix(
    coarse: int, full: int, upsampling: Literal["nearest", "linear"]
) -> Float[Tensor, "full coarse"]:
    """Upsampling along one axis by a whole factor, as an operator for ``apply_along``.

    Linear upsampling puts coarse values at the centres of their voxels and repeats the outer ones.
    """
    position = (torch.arange(full) + 0.5) * coarse / full - 0.5
    if upsampling == "nearest":
        position = position.round()
    distance = position.clamp(0, coarse - 1)[:, None] - torch.arange(coarse)[None]
    return (1 - distance.abs()).clamp(min=0)
