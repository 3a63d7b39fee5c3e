"""Resampling of volumes. The only place of the project that calls ``grid_sample``."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from hipreg import native
from hipreg.spatial.grid import identity_grid
from hipreg.types import Displacement, Size


def warp(
    volume: Float[Tensor, "B C D H W"],
    displacement: Displacement,
    *,
    interpolation: Literal["linear", "nearest"] = "linear",
) -> Float[Tensor, "B C D H W"]:
    """Deform volumes by pull-back: ``result(x) = volume(x + displacement(x))``.

    Positions outside the volume read 0.

    Args:
        volume: (B, C, D, H, W) of any floating type.
        displacement: (B, 3, D, H, W) in voxels.
        interpolation: ``linear``, or ``nearest`` for hard labels.

    Returns:
        (B, C, D, H, W) of the volume's type.

    Raises:
        ValueError: If batch or size of the two differ.
    """
    if volume.shape[0] != displacement.shape[0] or displacement.shape[1] != 3:
        raise ValueError(
            f"a volume {tuple(volume.shape)} needs a displacement (B, 3, D, H, W) of the same "
            f"batch, got {tuple(displacement.shape)}"
        )
    if volume.shape[2:] != displacement.shape[2:]:
        raise ValueError(
            f"volume and displacement differ in size: {tuple(volume.shape[2:])} and "
            f"{tuple(displacement.shape[2:])}"
        )
    if _compiled(volume, displacement):
        return _resample(volume, displacement, relative=True, interpolation=interpolation)
    d, h, w = volume.shape[2:]
    positions = displacement + identity_grid((d, h, w), device=displacement.device)
    return sample(volume, positions, interpolation=interpolation)


def warp_held(
    volume: Float[Tensor, "B C D H W"], displacement: Displacement
) -> Float[Tensor, "B C D H W"]:
    """Deform volumes by pull-back, the nearest value going on beyond their border.

    Differentiable in both arguments, once. For features and displacements, of which 0 would be as
    good a value as any; images are read by ``warp``.

    Args:
        volume: (B, C, D, H, W) of any floating type.
        displacement: (B, 3, D, H, W) in voxels.

    Returns:
        (B, C, D, H, W) of the volume's type; float32 under autocast of bfloat16 features.
    """
    if native.usable(volume, displacement):
        result: Tensor = _ReadDisplaced.apply(volume, displacement)  # type: ignore[no-untyped-call]
        return result
    d, h, w = volume.shape[2:]
    last = displacement.new_tensor([d - 1, h - 1, w - 1]).view(1, 3, 1, 1, 1)
    positions = displacement + identity_grid((d, h, w), device=displacement.device)
    # One more voxel holds the border: reading at its very edge is then as smooth as before it.
    wider = F.pad(volume, (0, 1) * 3, mode="replicate")
    return sample(wider, positions.clamp(torch.zeros_like(last), last))


def sample(
    volume: Float[Tensor, "B C D H W"],
    positions: Float[Tensor, "B 3 d h w"],
    *,
    interpolation: Literal["linear", "nearest"] = "linear",
) -> Float[Tensor, "B C d h w"]:
    """Read volumes at positions in voxels (order D, H, W); outside they read 0.

    Args:
        volume: (B, C, D, H, W) of any floating type.
        positions: (B, 3, d, h, w) in voxels.
        interpolation: ``linear`` or ``nearest``.

    Returns:
        (B, C, d, h, w) of the volume's type.
    """
    if _compiled(volume, positions):
        return _resample(volume, positions, relative=False, interpolation=interpolation)
    # grid_sample wants the last axis first, and -1 and 1 at the centres of the outer voxels.
    scale = [2.0 / max(n - 1, 1) for n in volume.shape[:1:-1]]
    channels = [positions[:, 2 - axis] * scale[axis] - 1.0 for axis in range(3)]
    with torch.autocast(volume.device.type, enabled=False):
        return F.grid_sample(
            volume,
            torch.stack(channels, dim=-1).to(volume.dtype),
            mode="bilinear" if interpolation == "linear" else "nearest",
            padding_mode="zeros",
            align_corners=True,
        )


def sample_affine(
    images: Float[Tensor, "N C D H W"],
    labels: UInt8[Tensor, "N L D H W"],
    maps: Float[Tensor, "B 3 4"],
    *,
    rows: Int64[Tensor, " B"],
    size: Size,
) -> tuple[Float[Tensor, "B C d h w"], UInt8[Tensor, "B L d h w"]]:
    """Read images linearly and labels at the nearest voxel under affine maps; outside they read 0.

    Args:
        images: (N, C, D, H, W) of any floating type.
        labels: (N, L, D, H, W) hard labels.
        maps: (B, 3, 4), from voxels of the result to voxels of the source, axes D, H, W.
        rows: (B,), which of the N each result is read from.
        size: Voxels d, h, w of the result.

    Returns:
        Images (B, C, d, h, w) and labels (B, L, d, h, w).
    """
    if native.usable(images, maps):
        return native.resample_affine(images, labels, rows, maps, size)
    grid = identity_grid(size, device=images.device).flatten(1)
    positions = maps[..., :3] @ grid + maps[..., 3:]
    positions = positions.reshape(*positions.shape[:2], *size)
    nearest = sample(labels[rows].to(images.dtype), positions, interpolation="nearest")
    return sample(images[rows], positions), nearest.to(labels.dtype)


class _ReadDisplaced(torch.autograd.Function):
    """Linear reading, differentiable in volume and displacement."""

    @staticmethod
    def forward(ctx: Any, volume: Tensor, displacement: Tensor) -> Tensor:
        ctx.save_for_backward(volume, displacement)
        return native.read_displaced(volume, displacement)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        volume, displacement = ctx.saved_tensors
        return native.read_displaced_slope(volume, displacement, upstream)


def _compiled(volume: Tensor, field: Tensor) -> bool:
    return not volume.requires_grad and native.usable(volume, field)


def _resample(
    volume: Tensor, field: Tensor, *, relative: bool, interpolation: Literal["linear", "nearest"]
) -> Tensor:
    if interpolation == "nearest":
        return native.resample(volume, field.detach(), relative=relative, nearest=True)
    result: Tensor = _Resample.apply(volume, field, relative)  # type: ignore[no-untyped-call]
    return result


class _Resample(torch.autograd.Function):
    """Linear reading, differentiable in the positions."""

    @staticmethod
    def forward(ctx: Any, volume: Tensor, field: Tensor, relative: bool) -> Tensor:
        ctx.save_for_backward(volume, field)
        ctx.relative = relative
        return native.resample(volume, field, relative=relative, nearest=False)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[None, Tensor, None]:
        volume, field = ctx.saved_tensors
        return None, native.resample_slope(volume, field, upstream, relative=ctx.relative), None
