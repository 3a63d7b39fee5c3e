"""From predicted spatial gradients to a displacement."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hipreg.spatial.axis import apply_along
from hipreg.types import Displacement, Size

IDENTITY_GRADIENT = 0.5
"""The gradient of the identity: twice this is one voxel of position a voxel."""


def integrate_gradients(gradient: Float[Tensor, "B 3 d h w"], *, size: Size) -> Displacement:
    """Integrate spatial gradients, each component along its own axis (Estienne et al. 2020).

    With N voxels along an axis, the sampling position of voxel i in normalised coordinates is
    ``(4 * sum(g[0..i]) - 2) / (N - 1) - 1``, that is ``2 * sum(g[0..i]) - 1`` in voxels. Positive
    gradients therefore never fold a line on itself along its own axis.

    A coarse gradient stands for its nearest-neighbour upsampling. Only the component's own axis is
    integrated at full length; the other two are repeated afterwards, which is the same at a
    fraction of the work.

    Args:
        gradient: (B, 3, d, h, w) in (0, 1), 0.5 for the identity; its size divides ``size``.
        size: Voxels D, H, W of the full grid.

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
        operator = _cumulative(coarse[axis], size[axis], deviation.device)
        line = apply_along(operator, deviation[:, axis], axis - 3)
        components.append(_repeat_other_axes(line, axis, size))
    return torch.stack(components, dim=1)


def _cumulative(coarse: int, full: int, device: torch.device) -> Float[Tensor, "full coarse"]:
    """2 * (cumulative sum) * (nearest-neighbour upsampling) as one matrix."""
    step = full // coarse
    position = torch.arange(full, device=device)[:, None]
    first = torch.arange(coarse, device=device)[None] * step
    return 2.0 * (position - first + 1).clamp(0, step).float()


def _repeat_other_axes(line: Tensor, axis: int, size: Size) -> Tensor:
    for other in range(3):
        repeats = size[other] // line.shape[other + 1]
        if other != axis and repeats > 1:
            line = line.repeat_interleave(repeats, dim=other + 1)
    return line
