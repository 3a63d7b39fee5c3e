"""Instance normalisation and a leaky ReLU in one, in the channels-last memory of the network."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from hipreg import native

EPSILON = 1e-5


class InstanceNorm(nn.Module):
    """Instance normalisation without learned scale, then a leaky ReLU.

    Overwrites its input, which is to be the output of a convolution and of no further use: the
    leaky ReLU can be undone, so that the result is all that the backward pass needs.

    Args:
        slope: Of the leaky ReLU below 0; 1 is none.
    """

    def __init__(self, slope: float = 1.0) -> None:
        super().__init__()
        if slope <= 0:
            raise ValueError(f"a leaky ReLU can be undone if its slope is above 0, got {slope}")
        self.slope = slope

    def forward(self, x: Float[Tensor, "B C D H W"]) -> Float[Tensor, "B C D H W"]:
        if x.shape[2:].numel() == 1:
            raise ValueError(
                "instance norm needs more than one voxel, but the features are "
                f"{tuple(x.shape)}: use larger volumes or fewer pooling blocks"
            )
        if x.device.type == "cpu" and _channels_last(x) and not torch.compiler.is_compiling():
            result: Tensor = _InPlace.apply(x, self.slope)  # type: ignore[no-untyped-call]
            return result
        normalised = F.instance_norm(x, eps=EPSILON)
        return normalised if self.slope == 1 else F.leaky_relu_(normalised, self.slope)


def _channels_last(x: Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last_3d) and not x.is_contiguous()


class _InPlace(torch.autograd.Function):
    """PyTorch's own operators copy channels-last volumes, or lose digits over many voxels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        ctx.mark_dirty(x)
        if native.usable(x, dtype=_kept(x)):
            inverse = native.instance_norm(x, epsilon=EPSILON, slope=slope)
        else:
            inverse = _normalise(x, slope)
        ctx.save_for_backward(x, inverse)
        ctx.slope = slope
        return x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        y, inverse = ctx.saved_tensors
        if native.usable(y, upstream, dtype=_kept(y)):
            return native.instance_norm_slope(y, upstream, inverse, slope=ctx.slope), None
        return _slope(y, upstream, inverse, ctx.slope), None


def _kept(x: Tensor) -> torch.dtype:
    """The type to work in: that of the features if there are kernels for it."""
    return x.dtype if x.dtype == torch.bfloat16 else torch.float32


_VOXELS = (2, 3, 4)


def _normalise(x: Tensor, slope: float) -> Tensor:
    whole = x.float()
    centred = whole - whole.mean(_VOXELS, keepdim=True)
    inverse = centred.square().mean(_VOXELS, keepdim=True).add_(EPSILON).rsqrt_()
    x.copy_(F.leaky_relu_(centred.mul_(inverse), slope))
    return inverse


def _slope(y: Tensor, upstream: Tensor, inverse: Tensor, slope: float) -> Tensor:
    whole, gradient = y.float(), upstream.float()
    positive = whole > 0
    gradient = torch.where(positive, gradient, gradient * slope)
    normalised = torch.where(positive, whole, whole / slope)
    along = (gradient * normalised).mean(_VOXELS, keepdim=True)
    mean = gradient.mean(_VOXELS, keepdim=True)
    return gradient.sub_(mean).sub_(normalised * along).mul_(inverse).to(y.dtype)
