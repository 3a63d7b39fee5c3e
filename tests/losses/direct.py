"""The direct, slow definitions that the losses are compared with."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hipreg.losses.lcc import EPSILON


def direct_lcc_map(warped: Tensor, fixed: Tensor, window: int) -> Tensor:
    """(B, 1, D, H, W) squared local cross correlation by dense convolutions, in float64."""
    warped, fixed = warped.double(), fixed.double()
    kernel = torch.ones(1, 1, window, window, window, dtype=torch.float64) / window**3

    def mean(volume: Tensor) -> Tensor:
        return F.conv3d(volume, kernel, padding=window // 2)

    covariance = mean(warped * fixed) - mean(warped) * mean(fixed)
    of_warped = mean(warped**2) - mean(warped) ** 2
    of_fixed = mean(fixed**2) - mean(fixed) ** 2
    return covariance**2 / ((of_warped + EPSILON) * (of_fixed + EPSILON))
