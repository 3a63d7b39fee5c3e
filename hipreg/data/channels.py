"""Hard labels as channels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from hipreg.types import LabelMap


def one_hot(label: LabelMap, labels: Sequence[int]) -> Float[Tensor, "B L D H W"]:
    """One float channel for each of ``labels``, in their order."""
    return torch.cat([label == value for value in labels], dim=1).float()
