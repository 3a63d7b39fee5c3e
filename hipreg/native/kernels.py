"""The compiled kernels as functions of tensors: shapes are the caller's to check."""

from __future__ import annotations

import ctypes
from ctypes import c_float, c_int, c_long, c_void_p
from functools import cache

import torch
from torch import Tensor

from hipreg.native import build
from hipreg.types import Size


class _Size(ctypes.Structure):
    _fields_ = (("d", c_long), ("h", c_long), ("w", c_long))

    @classmethod
    def of(cls, volume: Tensor) -> _Size:
        return cls(*volume.shape[-3:])


_SIGNATURES = {
    "resample": (
        *(c_long, c_long, _Size, _Size, c_void_p, c_void_p, c_int, c_int),
        *(c_void_p, c_void_p, c_void_p, c_int),
    ),
    "resample_affine_scratch": (_Size,),
    "resample_affine": (c_long, c_long, c_long, _Size, _Size, *[c_void_p] * 7, c_int),
    "lcc_scratch": (_Size, c_long, c_int),
    "lcc": (c_long, c_long, _Size, c_long, c_float, *[c_void_p] * 6, c_int),
    "read_displaced": (c_long, c_long, _Size, *[c_void_p] * 3, c_int),
    "read_displaced_slope": (c_long, c_long, _Size, *[c_void_p] * 5, c_int),
    "exponential_states": (c_long, _Size, c_long),
    "exponential_scratch": (c_long, _Size),
    "exponential": (c_long, _Size, c_long, *[c_void_p] * 3, c_int),
    "exponential_slope": (c_long, _Size, c_long, *[c_void_p] * 4, c_int),
    "integrate_scratch": (_Size, _Size, c_int),
    "integrate": (c_long, _Size, _Size, *[c_void_p] * 4, c_int, c_void_p, c_int),
    "instance_norm_scratch": (c_long, c_long, c_long),
    "instance_norm": (*[c_long] * 3, c_float, c_float, *[c_void_p] * 3, c_int),
    "instance_norm_slope": (*[c_long] * 3, c_float, *[c_void_p] * 5, c_int),
}
_SIGNATURES |= {
    f"{name}_bfloat16": _SIGNATURES[name] for name in ("instance_norm", "instance_norm_slope")
}


@cache
def _kernels() -> ctypes.CDLL | None:
    library = build.library()
    for name, types in _SIGNATURES.items() if library else ():
        function = getattr(library, f"hipreg_{name}")
        function.argtypes = types
        function.restype = c_long if name.endswith(("_scratch", "_states")) else None
    return library


def usable(*tensors: Tensor, dtype: torch.dtype = torch.float32) -> bool:
    """Whether there are kernels, and these tensors are of a type and in a CPU's memory."""
    fit = all(_real(t) and t.dtype == dtype for t in tensors)
    return fit and not torch.compiler.is_compiling() and _kernels() is not None


def _real(tensor: Tensor) -> bool:
    """Whether there is memory to point to; fake tensors, which count work, name a CPU too."""
    return tensor.device.type == "cpu" and type(tensor) in (Tensor, torch.nn.Parameter)


def _at(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _call(name: str, *arguments: object) -> None:
    kernels = _kernels()
    assert kernels is not None  # callers ask usable() first
    getattr(kernels, f"hipreg_{name}")(*arguments, torch.get_num_threads())


def _typed(name: str, like: Tensor) -> str:
    return f"{name}_bfloat16" if like.dtype == torch.bfloat16 else name


def _scratch(
    name: str, *arguments: object, dtype: torch.dtype = torch.float32, of: str = "scratch"
) -> Tensor:
    kernels = _kernels()
    assert kernels is not None
    return torch.empty(getattr(kernels, f"hipreg_{name}_{of}")(*arguments), dtype=dtype)


def resample(volume: Tensor, field: Tensor, *, relative: bool, nearest: bool) -> Tensor:
    """Read (B, C, D, H, W) at (B, 3, d, h, w) voxels: (B, C, d, h, w).

    Args:
        volume: Read as 0 outside.
        field: Positions, or with ``relative`` what is to be added to each voxel's own.
        relative: See ``field``.
        nearest: Read the nearest voxel instead of interpolating.
    """
    out = volume.new_empty((*volume.shape[:2], *field.shape[2:]))
    _resample(volume, out, None, field, relative=relative, nearest=nearest)
    return out


def resample_slope(volume: Tensor, field: Tensor, upstream: Tensor, *, relative: bool) -> Tensor:
    """The gradient of ``field`` from that of ``resample``'s result."""
    slope = torch.empty_like(field, memory_format=torch.contiguous_format)
    _resample(volume, upstream.contiguous(), slope, field, relative=relative)
    return slope


def resample_affine(
    images: Tensor, labels: Tensor, rows: Tensor, maps: Tensor, size: Size
) -> tuple[Tensor, Tensor]:
    """Read items where (B, 3, 4) maps send voxels: (B, C, *size) and (B, L, *size).

    Args:
        images: (N, C, D, H, W), of which each of the B results reads one item, linearly.
        labels: (N, L, D, H, W) uint8, likewise, at the nearest voxels.
        rows: (B,) int64, which.
        maps: From voxels of the result to voxels of the item.
        size: D, H, W of the result.
    """
    images, labels, rows, maps = (t.contiguous() for t in (images, labels, rows, maps))
    batch, channels, layers = len(rows), images.shape[1], labels.shape[1]
    found = images.new_empty((batch, channels, *size))
    found_labels = labels.new_empty((batch, layers, *size))
    inside = _Size.of(images)
    kernels = _kernels()
    assert kernels is not None
    each = kernels.hipreg_resample_affine_scratch(inside)
    scratch = labels.new_empty(each * torch.get_num_threads())
    _call(
        "resample_affine",
        *(batch, channels, layers, inside, _Size.of(found), _at(images), _at(labels), _at(rows)),
        *(_at(maps), _at(found), _at(found_labels), _at(scratch)),
    )
    return found, found_labels


def _resample(
    volume: Tensor,
    out: Tensor,
    slope: Tensor | None,
    field: Tensor,
    *,
    relative: bool,
    nearest: bool = False,
) -> None:
    volume, field = volume.contiguous(), field.contiguous()
    padded = volume.new_empty([volume.shape[1], *(side + 2 for side in volume.shape[2:])])
    _call(
        "resample",
        *(*out.shape[:2], _Size.of(volume), _Size.of(out), _at(volume), _at(field)),
        *(relative, nearest, _at(out), _at(slope), _at(padded)),
    )


def lcc(
    warped: Tensor,
    fixed: Tensor,
    mask: Tensor,
    *,
    window: int,
    epsilon: float,
    needs_gradient: bool,
) -> tuple[Tensor, Tensor | None]:
    """Masked mean of cc, (S, B), and its gradient, of (S, B, 1, D, H, W) against (B, 1, D, H, W).

    See ``hipreg.losses.lcc``.
    """
    warped, fixed, mask = warped.contiguous(), fixed.contiguous(), mask.contiguous()
    size, radius = _Size.of(warped), window // 2
    values = warped.new_empty(warped.shape[:2])
    gradient = torch.empty_like(warped) if needs_gradient else None
    scratch = _scratch("lcc", size, radius, torch.get_num_threads())
    _call(
        "lcc",
        *(*warped.shape[:2], size, radius, epsilon, _at(warped), _at(fixed), _at(mask)),
        *(_at(values), _at(gradient), _at(scratch)),
    )
    return values, gradient


def integrate(
    gradient: Tensor, first: Tensor, share: Tensor, size: tuple[int, int, int]
) -> Tensor:
    """Twice the sums of (B, 3, d, h, w) along each component's axis, upsampled: (B, 3, D, H, W).

    Args:
        gradient: Of which the identity has been taken off.
        first: (D + H + W,) int32, the lower of the two coarse voxels that each voxel is between.
        share: (D + H + W,), weight of the voxel after it.
        size: D, H, W.
    """
    full = gradient.new_empty((*gradient.shape[:2], *size))
    _integrate(gradient.contiguous(), first, share, full, adjoint=False)
    return full


def integrate_adjoint(upstream: Tensor, first: Tensor, share: Tensor, coarse: Size) -> Tensor:
    """The gradient of ``gradient`` from that of ``integrate``'s result."""
    gradient = upstream.new_empty((*upstream.shape[:2], *coarse))
    _integrate(gradient, first, share, upstream.contiguous(), adjoint=True)
    return gradient


def _integrate(
    gradient: Tensor, first: Tensor, share: Tensor, full: Tensor, *, adjoint: bool
) -> None:
    sizes = _Size.of(gradient), _Size.of(full)
    scratch = _scratch("integrate", *sizes, torch.get_num_threads())
    _call(
        "integrate",
        *(len(full), *sizes, _at(first), _at(share), _at(gradient), _at(full), adjoint),
        _at(scratch),
    )


def read_displaced(volume: Tensor, displacement: Tensor) -> Tensor:
    """Read (B, C, D, H, W) at each voxel's place plus (B, 3, D, H, W) voxels, the border beyond.

    Returns:
        (B, C, D, H, W), channels-last.
    """
    volume = volume.contiguous(memory_format=torch.channels_last_3d)
    displacement, out = displacement.contiguous(), torch.empty_like(volume)
    _call(
        "read_displaced",
        *(*volume.shape[:2], _Size.of(volume), _at(volume), _at(displacement), _at(out)),
    )
    return out


def read_displaced_slope(
    volume: Tensor, displacement: Tensor, upstream: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of both arguments from that of ``read_displaced``'s result."""
    volume = volume.contiguous(memory_format=torch.channels_last_3d)
    upstream = upstream.contiguous(memory_format=torch.channels_last_3d)
    displacement = displacement.contiguous()
    by_volume, by_displacement = torch.zeros_like(volume), torch.empty_like(displacement)
    _call(
        "read_displaced_slope",
        *(*volume.shape[:2], _Size.of(volume), _at(volume), _at(displacement), _at(upstream)),
        *(_at(by_volume), _at(by_displacement)),
    )
    return by_volume, by_displacement


def exponential(velocity: Tensor, *, squarings: int) -> tuple[Tensor, Tensor]:
    """Displacements of velocities (B, 3, D, H, W), in voxels of this grid.

    Returns:
        (B, 3, D, H, W), and what ``exponential_slope`` needs.
    """
    velocity, size = velocity.contiguous(), _Size.of(velocity)
    states = _scratch("exponential", len(velocity), size, squarings, of="states")
    out = torch.empty_like(velocity)
    _call("exponential", *(len(velocity), size, squarings, _at(velocity), _at(states), _at(out)))
    return out, states


def exponential_slope(states: Tensor, upstream: Tensor, *, squarings: int) -> Tensor:
    """The gradient of the velocities from that of ``exponential``'s displacements."""
    upstream, size = upstream.contiguous(), _Size.of(upstream)
    slope = torch.empty_like(upstream)
    scratch = _scratch("exponential", len(upstream), size)
    _call(
        "exponential_slope",
        *(len(upstream), size, squarings, _at(states), _at(upstream), _at(slope), _at(scratch)),
    )
    return slope


def instance_norm(x: Tensor, *, epsilon: float, slope: float) -> Tensor:
    """Normalise channels-last (B, C, D, H, W) and apply a leaky ReLU, in place; bfloat16 too.

    Returns:
        (B, C), the inverse deviations that ``instance_norm_slope`` needs.
    """
    batch, channels = x.shape[:2]
    voxels = x[0, 0].numel()
    inverse = x.new_empty((batch, channels), dtype=torch.float32)
    scratch = _scratch("instance_norm", batch, voxels, channels, dtype=torch.float64)
    _call(
        _typed("instance_norm", x),
        *(batch, voxels, channels, epsilon, slope, _at(x), _at(inverse), _at(scratch)),
    )
    return inverse


def instance_norm_slope(y: Tensor, upstream: Tensor, inverse: Tensor, *, slope: float) -> Tensor:
    """The gradient of ``x`` from that of the result ``y``; all channels-last (B, C, D, H, W)."""
    batch, channels = y.shape[:2]
    voxels = y[0, 0].numel()
    upstream = upstream.contiguous(memory_format=torch.channels_last_3d)
    gradient = torch.empty_like(y)
    scratch = _scratch("instance_norm", batch, voxels, channels, dtype=torch.float64)
    _call(
        _typed("instance_norm_slope", y),
        *(batch, voxels, channels, slope, _at(y), _at(upstream), _at(inverse)),
        *(_at(gradient), _at(scratch)),
    )
    return gradient
