"""Labels as channels: hard, or soft at their borders.

Raters disagree on where a label ends, hardly on where its middle is. A label that fades over its
border, as wide as the disagreement, asks a network for no certainty where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from hipreg.types import LabelMap


def one_hot(label: LabelMap, labels: Sequence[int]) -> Float[Tensor, "B L D H W"]:
    """One float channel for each of ``labels``, in their order."""
    if not labels:
        return torch.empty(len(label), 0, *label.shape[2:], device=label.device)
    return torch.cat([label == value for value in labels], dim=1).float()


def soften(targets: Float[Tensor, "B L D H W"], *, border: float) -> Float[Tensor, "B L D H W"]:
    """Let labels fade over their borders.

    Args:
        targets: (B, L, D, H, W) in [0, 1].
        border: Share, in [0, 1/3], that a voxel takes over from each of its two neighbours along
            each axis; 0 leaves the targets as they are, 1/3 is the mean of three.

    Returns:
        (B, L, D, H, W) in [0, 1]; beyond the volume lies more of its outermost layer.

    Raises:
        ValueError: If ``border`` lies outside its range.
    """
    if not 0 <= border <= 1 / 3:
        raise ValueError(f"the border's share lies in [0, 1/3], got {border}")
    if border == 0:
        return targets
    for axis in (2, 3, 4):
        first, last = targets.narrow(axis, 0, 1), targets.narrow(axis, targets.shape[axis] - 1, 1)
        padded = torch.cat([first, targets, last], dim=axis)
        size = targets.shape[axis]
        sides = padded.narrow(axis, 0, size) + padded.narrow(axis, 2, size)
        targets = torch.lerp(targets, sides / 2, 2 * border)
    return targets
