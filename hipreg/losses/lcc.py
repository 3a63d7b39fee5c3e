"""Squared local cross correlation with its own, fused backward pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from hipreg import native
from hipreg.spatial.axis import apply_along

EPSILON = 1e-5
"""Added to each window variance (of intensities in [0, 1]): above float32 cancellation error."""

CENTRE = 0.5
"""Subtracted from all intensities first: variances of values around 0 lose fewer digits."""

CPU_CHUNK = 1
GPU_CHUNK = 64
"""Volumes of one chunk. On a CPU all temporaries of one volume stay in cache."""


def lcc(
    warped: Float[Tensor, "S B 1 D H W"],
    fixed: Float[Tensor, "B 1 D H W"],
    *,
    window: int = 9,
    mask: Bool[Tensor, "S B 1 D H W"] | None = None,
) -> Float[Tensor, "S B"]:
    """Mean squared local cross correlation of warped and fixed images.

    Over a cubic window around each voxel, ``cc = cov(I, J)^2 / ((var(I) + e) (var(J) + e))`` with
    ``e = EPSILON``; voxels outside the volume count as 0. The cost does not depend on the window.
    Differentiable in ``warped`` alone, and once: the gradient is computed along with the value,
    one volume at a time, so that a volume's temporaries stay in cache.

    Args:
        warped: (S, B, 1, D, H, W), S predictions of each image, in [0, 1].
        fixed: (B, 1, D, H, W) in [0, 1]; its window sums are shared by the S predictions.
        window: Side of the window in voxels, odd.
        mask: Voxels to average over; all of them when None. A volume without any gives 0.

    Returns:
        (S, B) in [0, 1]; 1 for images that are locally linear functions of one another.

    Raises:
        ValueError: If the window is even or not positive, the shapes do not fit, or ``fixed``
            requires a gradient.
    """
    check_window(window)
    if warped.ndim != 6 or warped.shape[1:] != fixed.shape:
        raise ValueError(
            "warped must be (S, B, 1, D, H, W) over fixed (B, 1, D, H, W), got "
            f"{tuple(warped.shape)} and {tuple(fixed.shape)}"
        )
    if fixed.requires_grad:
        raise ValueError("lcc has no gradient for the fixed image; detach it")
    if mask is None:
        mask = torch.ones_like(warped, dtype=torch.bool)
    value: Tensor = _MaskedLCC.apply(warped, fixed, window, mask)  # type: ignore[no-untyped-call]
    return value


def check_window(window: int) -> None:
    """Refuse a window that has no centre voxel.

    Raises:
        ValueError: If it is even or not positive.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"the LCC window must be odd and positive, got {window}")


class _MaskedLCC(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, warped: Tensor, fixed: Tensor, window: int, mask: Tensor) -> Tensor:
        ctx.dtype = warped.dtype
        needs_gradient = ctx.needs_input_grad[0]
        if native.usable(warped, fixed):
            values, gradient = native.lcc(
                *(warped, fixed, mask),
                window=window,
                epsilon=EPSILON,
                needs_gradient=needs_gradient,
            )
        else:
            values, gradient = _in_chunks(warped, fixed, window, mask, needs_gradient)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        upstream = outputs[0][..., None, None, None, None]
        return (gradient * upstream).to(ctx.dtype), None, None, None


def _in_chunks(
    warped: Tensor, fixed: Tensor, window: int, mask: Tensor, needs_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Values and gradients where there are no compiled kernels."""
    box = _Box.of(fixed, window)
    values = warped.new_zeros(warped.shape[:2], dtype=torch.float32)
    gradient = torch.empty_like(warped, dtype=torch.float32) if needs_gradient else None
    chunk = CPU_CHUNK if warped.device.type == "cpu" else GPU_CHUNK
    for b in range(fixed.shape[0]):
        reference = _Reference.of(fixed[b, 0].float() - CENTRE, box)
        for start in range(0, warped.shape[0], chunk):
            part = slice(start, start + chunk)
            value, slope = _value_and_gradient(
                warped[part, b, 0].float() - CENTRE,
                reference,
                mask[part, b, 0],
                needs_gradient,
            )
            values[part, b] = value
            if gradient is not None and slope is not None:
                gradient[part, b, 0] = slope
    return values, gradient


@dataclass(frozen=True, slots=True)
class _Box:
    """Mean over the window of a zero-padded volume, and its adjoint (the band is symmetric).

    Attributes:
        bands: One operator an axis, of ones: the scale comes last, so that means of intensities
            and of their squares are rounded alike.
        window: Side of the window.
        outside: (D, H, W), the share of each voxel's window that lies outside the volume. There
            the centred intensity is -CENTRE and not 0.
    """

    bands: tuple[Tensor, Tensor, Tensor]
    window: int
    outside: Tensor

    @staticmethod
    def of(volume: Tensor, window: int) -> _Box:
        bands = []
        for length in volume.shape[-3:]:
            i = torch.arange(length, device=volume.device)
            near = (i[:, None] - i[None]).abs() <= window // 2
            bands.append(near.float())
        d, h, w = (band.sum(dim=1) / window for band in bands)
        inside = d[:, None, None] * h[:, None] * w
        return _Box((bands[0], bands[1], bands[2]), window, 1 - inside)

    def mean(self, centred: Tensor) -> Tensor:
        """Window mean of a centred volume."""
        return self(centred).sub_(self.outside, alpha=CENTRE)

    def mean_product(self, first: Tensor, second: Tensor) -> Tensor:
        """Window mean of the product of two centred volumes."""
        return self(first * second).add_(self.outside, alpha=CENTRE**2)

    def __call__(self, volume: Tensor) -> Tensor:
        for axis, band in zip((-3, -2, -1), self.bands, strict=True):
            volume = apply_along(band, volume, axis)
        return volume.mul_(self.window**-3)


@dataclass(frozen=True, slots=True)
class _Reference:
    """What the S predictions of one fixed image share."""

    image: Tensor
    mean: Tensor
    inverse_variance: Tensor
    box: _Box

    @staticmethod
    def of(image: Tensor, box: _Box) -> _Reference:
        mean = box.mean(image)
        variance = (box.mean_product(image, image) - mean * mean).clamp_(min=0)
        return _Reference(image, mean, variance.add_(EPSILON).reciprocal_(), box)


def _value_and_gradient(
    warped: Tensor, reference: _Reference, mask: Tensor, needs_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Masked mean of cc, (S,), and its gradient in ``warped``, (S, D, H, W)."""
    box, image = reference.box, reference.image
    weight = mask / mask.sum((-3, -2, -1), keepdim=True).clamp(min=1)
    mean = box.mean(warped)
    covariance = box.mean_product(image, warped).addcmul_(reference.mean, mean, value=-1)
    variance = box.mean_product(warped, warped).addcmul_(mean, mean, value=-1)
    variance.clamp_(min=0).add_(EPSILON)
    # With r = cov / (var var'): cc = cov * r, dcc/dcov = 2 r, dcc/dvar = -cc / var.
    ratio = (covariance * reference.inverse_variance).div_(variance).mul_(weight)
    weighted = covariance.mul_(ratio)
    value = weighted.sum((-3, -2, -1))
    if not needs_gradient:
        return value, None
    by_covariance = ratio.mul_(2)
    by_variance = weighted.div_(variance).neg_()
    by_mean = (reference.mean * by_covariance).addcmul_(mean, by_variance, value=2).neg_()
    gradient = box(by_mean)
    gradient.addcmul_(image, box(by_covariance))
    gradient.addcmul_(warped, box(by_variance), value=2)
    return value, gradient
