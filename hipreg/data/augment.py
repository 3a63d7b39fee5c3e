"""Random flips, quarter turns, affine maps and crops, all in one resampling.

Drawing the parameters is apart from applying them: the parameters of a step are a small tensor of
affine maps that can be logged, replayed and tested.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from hipreg.data.channels import one_hot
from hipreg.spatial import sample_affine
from hipreg.types import Image, LabelMap, Pair, Size

AXIS_PAIRS = ((0, 1), (0, 2), (1, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What may be drawn; the defaults are those of Estienne et al. (arXiv 2010.10897).

    Attributes:
        flips: Mirror each axis with probability one half.
        flip_axes: The axes that ``flips`` may mirror.
        quarter_turns: Rotate by a random multiple of 90 degrees in one random plane, of those
            whose two sides are equal.
        affine: Rotate about one random axis, shift and zoom isotropically.
        every_axis: Let ``affine`` rotate about all axes and zoom each by an amount of its own.
        max_rotation: Largest angle of the affine rotation, in degrees.
        max_translation: Largest shift along each axis, in voxels.
        max_zoom: Largest relative change of size.
        random_crop: Draw the position of the crop; central otherwise.
    """

    flips: bool = True
    flip_axes: tuple[int, ...] = (0, 1, 2)
    quarter_turns: bool = True
    affine: bool = True
    every_axis: bool = False
    max_rotation: float = 20.0
    max_translation: float = 10.0
    max_zoom: float = 0.2
    random_crop: bool = False

    @property
    def none(self) -> bool:
        """Whether nothing is ever drawn."""
        return not (self.flips or self.quarter_turns or self.affine or self.random_crop)


NO_AUGMENTATION = Augmentation(flips=False, quarter_turns=False, affine=False)


@dataclass(frozen=True, slots=True)
class AffineMaps:
    """One affine map a pair, from positions in the result to positions in the source.

    With positions relative to the centres of the two grids, in voxels:
    ``source = matrix @ result + offset``.

    Attributes:
        matrix: (B, 3, 3).
        offset: (B, 3), in voxels.
    """

    matrix: Float[Tensor, "B 3 3"]
    offset: Float[Tensor, "B 3"]

    def repeated(self, times: int) -> AffineMaps:
        """All maps, and then all of them again."""
        return AffineMaps(self.matrix.repeat(times, 1, 1), self.offset.repeat(times, 1))


def draw(
    augmentation: Augmentation, *, batch: int, source: Size, size: Size, generator: torch.Generator
) -> AffineMaps:
    """Draw the parameters of one batch.

    Args:
        augmentation: What may be drawn.
        batch: Number of pairs.
        source: Size of the volumes to be augmented.
        size: Size of the result.
        generator: The only source of randomness, on the CPU.

    Returns:
        Maps on the CPU; the identity (a central crop) where nothing may be drawn.
    """
    matrix = torch.eye(3).repeat(batch, 1, 1)
    offset = torch.zeros(batch, 3)
    if augmentation.flips:
        signs = torch.randint(0, 2, (batch, 3), generator=generator) * 2.0 - 1.0
        signs[:, [axis for axis in range(3) if axis not in augmentation.flip_axes]] = 1.0
        matrix = torch.diag_embed(signs) @ matrix
    if augmentation.quarter_turns:
        matrix = _quarter_turns(batch, size, generator) @ matrix
    if augmentation.affine:
        drawn = _affine_of_every_axis if augmentation.every_axis else _affine
        affine, shift = drawn(augmentation, batch, generator)
        matrix, offset = affine @ matrix, offset + shift
    if augmentation.random_crop:
        slack = torch.tensor([float(max(a - b, 0)) for a, b in zip(source, size, strict=True)])
        uniform = torch.rand(batch, 3, generator=generator)
        offset = offset + (uniform * (slack + 1)).floor().clamp(max=slack) - slack / 2
    return AffineMaps(matrix, offset)


def _quarter_turns(batch: int, size: Size, generator: torch.Generator) -> Tensor:
    planes = [(a, b) for a, b in AXIS_PAIRS if size[a] == size[b]]
    turns = torch.randint(0, 4, (batch,), generator=generator)
    plane = torch.randint(0, max(len(planes), 1), (batch,), generator=generator)
    if not planes:
        return torch.eye(3).repeat(batch, 1, 1)
    # Exact cosines and sines: a quarter turn must not blur.
    cosine, sine = torch.tensor([1.0, 0.0, -1.0, 0.0]), torch.tensor([0.0, 1.0, 0.0, -1.0])
    return _rotations(torch.tensor(planes)[plane], cosine[turns], sine[turns])


def _affine(
    augmentation: Augmentation, batch: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    plane = torch.randint(0, 3, (batch,), generator=generator)
    symmetric = torch.rand(batch, 5, generator=generator) * 2 - 1
    angle = symmetric[:, 0] * math.radians(augmentation.max_rotation)
    zoom = 1 + symmetric[:, 1] * augmentation.max_zoom
    matrix = _rotations(torch.tensor(AXIS_PAIRS)[plane], angle.cos(), angle.sin())
    return matrix * zoom[:, None, None], symmetric[:, 2:] * augmentation.max_translation


def _affine_of_every_axis(
    augmentation: Augmentation, batch: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    symmetric = torch.rand(batch, 10, generator=generator) * 2 - 1
    angles = symmetric[:, :3] * math.radians(augmentation.max_rotation)
    # Half of the zoom is of all axes together and half of each alone, so that both are seen.
    together, alone = (symmetric[:, part] * augmentation.max_zoom / 2 for part in _ZOOMS)
    first, second, third = (
        _rotations(torch.tensor(plane).expand(batch, 2), angle.cos(), angle.sin())
        for plane, angle in zip(AXIS_PAIRS, angles.unbind(1), strict=True)
    )
    matrix = first @ second @ third
    return (
        matrix * (1 + together + alone)[:, None, :],
        symmetric[:, 7:] * augmentation.max_translation,
    )


_ZOOMS = (slice(3, 4), slice(4, 7))


def _rotations(
    planes: Int64[Tensor, "B 2"], cosine: Float[Tensor, " B"], sine: Float[Tensor, " B"]
) -> Float[Tensor, "B 3 3"]:
    """One rotation each, in the plane of two axes."""
    each, (first, second) = torch.arange(len(planes)), planes.unbind(1)
    matrix = torch.eye(3).repeat(len(planes), 1, 1)
    matrix[each, first, first] = matrix[each, second, second] = cosine
    matrix[each, second, first], matrix[each, first, second] = sine, -sine
    return matrix


def apply(pair: Pair, maps: AffineMaps, *, size: Size) -> Pair:
    """Resample a pair once: images linearly, labels to the nearest, outside 0.

    One map serves both images of a pair, so that their true correspondence is kept up to the map.

    Args:
        pair: Of batch B, on any device.
        maps: B maps, moved to the pair's device.
        size: Voxels D, H, W of the result.

    Returns:
        The pair on a grid of ``size``.
    """
    rows = torch.arange(len(pair.fixed), device=pair.fixed.device)
    moving, moving_label = resample(pair.moving, pair.moving_label, maps, rows=rows, size=size)
    fixed, fixed_label = resample(pair.fixed, pair.fixed_label, maps, rows=rows, size=size)
    return Pair(moving, fixed, moving_label, fixed_label)


def resample(
    images: Float[Tensor, "N 1 D H W"],
    labels: UInt8[Tensor, "N 1 D H W"],
    maps: AffineMaps,
    *,
    rows: Int64[Tensor, " B"],
    size: Size,
) -> tuple[Image, LabelMap]:
    """Some images and labels, each under its own map, without a copy of them first.

    Args:
        images: (N, 1, D, H, W), on any device.
        labels: (N, 1, D, H, W).
        maps: B maps, moved to the images' device.
        rows: (B,), which of the N each result is made from, on the images' device.
        size: Voxels D, H, W of the result.

    Returns:
        (B, 1, *size) images and labels; outside the source they are 0.
    """
    between = _between_voxels(maps, tuple(images.shape[2:]), size).to(images.device)
    return sample_affine(images, labels, between, rows=rows, size=size)


def resample_channels(
    images: Image,
    labels: LabelMap,
    maps: AffineMaps,
    *,
    wanted: Sequence[int],
    size: Size,
) -> tuple[Image, Float[Tensor, "B L d h w"]]:
    """Images and labels, each under its own map and both linearly: labels become soft.

    A label that a turned grid cuts has the part of a voxel that it covers, instead of steps.

    Args:
        images: (B, 1, D, H, W), on any device.
        labels: (B, 1, D, H, W).
        maps: B maps, moved to the images' device.
        wanted: Values of the L labels.
        size: Voxels D, H, W of the result.

    Returns:
        (B, 1, *size) images and (B, L, *size) in [0, 1]; outside the source they are 0.
    """
    rows = torch.arange(len(images), device=images.device)
    between = _between_voxels(maps, tuple(images.shape[2:]), size).to(images.device)
    channels = torch.cat([images, one_hot(labels, wanted)], dim=1)
    read, _ = sample_affine(channels, labels, between, rows=rows, size=size)
    return read[:, :1], read[:, 1:]


def _between_voxels(
    maps: AffineMaps, source: tuple[int, ...], size: Size
) -> Float[Tensor, "B 3 4"]:
    """The maps as matrices from voxels of the result to voxels of the source."""
    to_centre = (torch.tensor(size) - 1) / 2
    from_centre = (torch.tensor(source) - 1) / 2
    shift = maps.offset + from_centre - maps.matrix @ to_centre
    return torch.cat([maps.matrix, shift[..., None]], dim=2)


def central_crop(pair: Pair, *, size: Size) -> Pair:
    """Cut the central part out of a pair, without resampling.

    Raises:
        ValueError: If ``size`` is larger than the pair along an axis.
    """
    return Pair(*(central_part(getattr(pair, item.name), size=size) for item in fields(pair)))


def central_part(volume: Tensor, *, size: Size) -> Tensor:
    """The central part of (..., D, H, W), as a view; an odd rest is cut at the far end.

    Raises:
        ValueError: If ``size`` is larger than the volume along an axis.
    """
    full = tuple(volume.shape[-3:])
    if any(part > whole for part, whole in zip(size, full, strict=True)):
        raise ValueError(f"a crop of {size} does not fit into volumes of {full}")
    d, h, w = (
        slice((whole - part) // 2, (whole - part) // 2 + part)
        for part, whole in zip(size, full, strict=True)
    )
    return volume[..., d, h, w]
