"""Endless image pairs of random shapes, made on the device that trains on them.

In the spirit of SynthMorph (Hoffmann et al., IEEE TMI 2022): a random label map is seen twice,
each time through another smooth invertible deformation and as another scan would show it. Nothing
here comes from any image. A pair depends on a seed and its own number alone.

What is drawn is small and drawn on the CPU, so that it is the same on every device; only the noise
of single voxels is drawn where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hipreg.data.augment import NO_AUGMENTATION, Augmentation
from hipreg.data.batches import Share, whole
from hipreg.data.preprocess import IN_SCAN_MINIMUM
from hipreg.data.random import generator_of
from hipreg.spatial import identity_grid, warp
from hipreg.spatial.splines import (
    INJECTIVE,
    along_axes,
    control_points,
    gaussian_matrix,
    spline_volume,
)
from hipreg.types import Pair, Size

LABELS = (1, 2, 3, 4)
"""The shapes that are labelled; what surrounds them is background."""

TISSUES = 10
"""Kinds of tissue, the labelled ones included."""

SCANNED = ((31.0, 43.0), (40.0, 59.0), (24.0, 47.0))
"""Smallest and largest scan along each axis in voxels, as the hippocampus scans have them."""

DEFORMATIONS = (12.0, 16.0, 20.0, 28.0)
"""Voxels between the coefficients of a deformation, one of which is drawn."""

GRAINS = (6.0, 8.0, 12.0, 16.0)
"""Voxels between the coefficients of tissues, one of which is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeOptions:
    """How pairs of shapes look.

    Attributes:
        same_contrast: Probability that both images of a pair show a tissue equally bright, as two
            scans of one kind do.
        deformation: Size of the smooth deformations, 0 to 1: 1 is all that surely does not fold.
        rotation: Largest angle about each axis in degrees, of each image.
        zoom: Largest relative change of size along each axis.
        translation: Largest shift along each axis in voxels.
        noise: Largest standard deviation of the noise in intensities.
    """

    same_contrast: float = 1.0
    deformation: float = 0.8
    rotation: float = 8.0
    zoom: float = 0.1
    translation: float = 3.0
    noise: float = 0.06

    def __post_init__(self) -> None:
        if not (0 <= self.same_contrast <= 1 and 0 <= self.deformation <= 1):
            raise ValueError(
                "same_contrast and deformation lie between 0 and 1, got "
                f"{self.same_contrast} and {self.deformation}"
            )


USUAL = ShapeOptions()


@dataclass(frozen=True, slots=True)
class ShapePairs:
    """An endless source of batches of shapes.

    Attributes:
        pairs: Pairs of an epoch.
        device: Where batches are made.
        options: How they look.
    """

    pairs: int
    device: torch.device
    options: ShapeOptions = USUAL

    def __len__(self) -> int:
        return self.pairs

    def batches(
        self,
        *,
        batch_size: int,
        size: Size,
        augmentation: Augmentation = NO_AUGMENTATION,
        seed: int,
        epoch: int,
        share: Share = whole,
    ) -> Iterator[Pair]:
        """The batches of one epoch, or a share of each.

        Args:
            batch_size: Pairs of a batch; the last of an epoch may be smaller.
            size: Voxels D, H, W.
            augmentation: Not used: every pair is new as it is.
            seed: Of the whole training.
            epoch: Which epoch, from 0.
            share: Which pairs of a batch to make, by the batch's length.
        """
        del augmentation
        for start in range(0, self.pairs, batch_size):
            numbers = range(start, min(start + batch_size, self.pairs))
            chosen = numbers[share(len(numbers))]
            seeds = [(seed, epoch, number) for number in chosen]
            yield shape_batch(seeds, size, device=self.device, options=self.options)


def shape_batch(
    seeds: Sequence[tuple[int, ...]],
    size: Size,
    *,
    device: torch.device,
    options: ShapeOptions = USUAL,
) -> Pair:
    """One pair for each seed.

    Args:
        seeds: Any whole numbers, from 0 up.
        size: Voxels D, H, W.
        device: Where the pairs are made.
        options: How they look.
    """
    images = torch.zeros(2, len(seeds), 1, *size, device=device)
    labels = torch.zeros(2, len(seeds), 1, *size, dtype=torch.uint8, device=device)
    for row, numbers in enumerate(seeds):
        _fill(images[:, row, 0], labels[:, row, 0], generator_of(*numbers), options)
    return Pair(images[0], images[1], labels[0], labels[1])


def _fill(
    images: Float[Tensor, "2 D H W"],
    labels: UInt8[Tensor, "2 D H W"],
    generator: torch.Generator,
    options: ShapeOptions,
) -> None:
    """Draw one pair into two images and two label maps."""
    d, h, w = images.shape[1:]
    size, device = (d, h, w), images.device
    tissue = _tissues(size, generator, device)
    texture = _splines(1, size, 3.0, generator, device)[0]
    label = torch.where(tissue < len(LABELS), tissue + 1, 0).float()
    contrasts = torch.stack([_contrast(generator), _contrast(generator)])
    if _uniform(generator) < options.same_contrast:
        contrasts[1] = contrasts[0]
    strength = 0.08 * _uniform(generator)
    noise = _noise((2, *size), generator, device)
    for k in range(2):
        field = _displacement(size, generator, options, device)[None]
        clean = contrasts[k].to(device)[tissue] + strength * texture
        labels[k] = warp(label[None, None], field, interpolation="nearest")[0, 0]
        seen = warp(clean[None, None], field)[0, 0]
        box = _scan_box(size, generator)
        images[k][box] = _scanned(seen, noise[k], generator, options)[box]
        covered = torch.zeros_like(labels[k])
        covered[box] = labels[k][box]
        labels[k] = covered


def _contrast(generator: torch.Generator) -> Tensor:
    """(TISSUES,) brightness of each tissue, spread over the whole range."""
    order = torch.randperm(TISSUES, generator=generator)
    return (order + torch.rand(TISSUES, generator=generator)) / TISSUES


def _tissues(size: Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """(D, H, W) int64, 0 to TISSUES - 1: which of several smooth random fields is the highest.

    The first ones are lifted within an ellipsoid each, so that there are compact shapes near the
    middle, and smooth noise makes none of them an ellipsoid.
    """
    fields = _splines(TISSUES, size, _one_of(GRAINS, generator), generator, device)
    for field in fields[: len(LABELS)]:
        field += _ellipsoid(size, generator, device)
    # Pairwise, since argmax over the first axis takes four times as long on a CPU.
    highest, tissue = fields[0], torch.zeros(size, dtype=torch.int64, device=device)
    for number, field in enumerate(fields[1:], start=1):
        tissue.masked_fill_(field > highest, number)
        highest = torch.maximum(highest, field)
    return tissue


def _ellipsoid(size: Size, generator: torch.Generator, device: torch.device) -> Tensor:
    """(D, H, W), highest in the middle of a random ellipsoid and negative outside."""
    directions = torch.linalg.qr(torch.randn(3, 3, generator=generator))[0]
    radii = torch.tensor([6.0, 8.0, 12.0]) * (0.6 + 0.8 * torch.rand(3, generator=generator))
    centre = (torch.rand(3, generator=generator) - 0.5) * torch.tensor([20.0, 28.0, 20.0])
    matrix = (directions / radii).T
    # |matrix (x - centre)|^2 as a sum of one row for each axis, squared.
    value = torch.zeros(size, device=device)
    axes = [torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in size]
    for row in matrix:
        d, h, w = ((row[a] * (axes[a] - centre[a])).to(device) for a in range(3))
        value += (d[:, None, None] + h[:, None] + w) ** 2
    height: Tensor = 2.0 - 1.2 * value.clamp(max=3.0)
    return height


def _displacement(
    size: Size, generator: torch.Generator, options: ShapeOptions, device: torch.device
) -> Tensor:
    """(3, D, H, W) voxels: an affine map followed by a spline, neither of which can fold."""
    spacing = _one_of(DEFORMATIONS, generator)
    largest = options.deformation * INJECTIVE * spacing
    smooth = _splines(3, size, spacing, generator, device, uniform=True) * largest
    symmetric = torch.rand(3, 3, generator=generator) * 2 - 1
    angles = symmetric[0] * math.radians(options.rotation)
    x, y, z = angles.tolist()
    turn = torch.linalg.matrix_exp(torch.tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]))
    matrix = turn * (1 + symmetric[1] * options.zoom)
    middle = (torch.tensor(size, device=device)[:, None, None, None] - 1) / 2
    centred = identity_grid(size, device=device) - middle
    moved: Tensor = torch.tensordot((matrix - torch.eye(3)).to(device), centred + smooth, dims=1)
    shift = symmetric[2] * options.translation
    return smooth + moved + shift.to(device)[:, None, None, None]


def _scanned(
    clean: Tensor, noise: Tensor, generator: torch.Generator, options: ShapeOptions
) -> Tensor:
    """(D, H, W) in [IN_SCAN_MINIMUM, 1]: blurred, biased, noisy and with a gamma of its own."""
    d, h, w = clean.shape
    sigma = 1.2 * _uniform(generator)
    if sigma > 0.3:
        blur = [gaussian_matrix(n, sigma).to(clean.device) for n in (d, h, w)]
        clean = along_axes(clean[None], blur)[0]
    bias = _splines(1, (d, h, w), 40.0, generator, clean.device)[0]
    value = clean * torch.exp(0.4 * _uniform(generator) * bias)
    value = value + noise * (options.noise * _uniform(generator))
    deviation, mean = torch.std_mean(value)
    unit = ((value - mean) / (4.5 * deviation + 1e-6) + 0.5).clamp(0.0, 1.0)
    gamma = math.exp(0.5 * (2 * _uniform(generator) - 1))
    return (unit**gamma).clamp(min=IN_SCAN_MINIMUM)


def _scan_box(size: Size, generator: torch.Generator) -> tuple[slice, slice, slice]:
    """The part that was scanned: central, of a random size, as large as the grid at most."""
    parts = []
    for n, (low, high) in zip(size, SCANNED, strict=True):
        wanted = round(low + (high - low) * _uniform(generator))
        start = max((n - wanted) // 2, 0)
        parts.append(slice(start, min(start + wanted, n)))
    return parts[0], parts[1], parts[2]


def _splines(
    channels: int,
    size: Size,
    spacing: float,
    generator: torch.Generator,
    device: torch.device,
    *,
    uniform: bool = False,
) -> Tensor:
    """(channels, D, H, W) smooth noise of normal coefficients, or of uniform ones in [-1, 1]."""
    shape = (channels, *control_points(size, spacing))
    drawn = (
        torch.rand(shape, generator=generator) * 2 - 1
        if uniform
        else torch.randn(shape, generator=generator) * 2.0
    )
    return spline_volume(drawn.to(device), size, spacing=spacing)


def _noise(shape: tuple[int, ...], generator: torch.Generator, device: torch.device) -> Tensor:
    """Independent normal numbers, drawn on the device from a seed that is drawn on the CPU."""
    seed = int(torch.randint(0, 2**62, (), generator=generator))
    own = torch.Generator(device).manual_seed(seed)
    return torch.randn(shape, generator=own, device=device)


def _uniform(generator: torch.Generator) -> float:
    return float(torch.rand((), generator=generator))


def _one_of(values: tuple[float, ...], generator: torch.Generator) -> float:
    return values[int(torch.randint(0, len(values), (), generator=generator))]
