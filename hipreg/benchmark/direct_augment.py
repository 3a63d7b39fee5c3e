"""The published augmentation by NumPy and SciPy, volume after volume on the CPU."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from scipy import ndimage

from hipreg.data.augment import AXIS_PAIRS, Augmentation
from hipreg.data.batches import CaseBank
from hipreg.types import Pair, Size

PUBLISHED = Augmentation()
"""Its limits are those that are drawn within."""


@dataclass(frozen=True, slots=True, eq=False)
class DirectDraw:
    """The parameters of one pair.

    Attributes:
        flips: Which axes are mirrored.
        turns: Quarter turns, 0 to 3.
        plane: The axes of the quarter turns.
        matrix: (3, 3), from positions in the result to positions in the source, about the centre.
        shift: (3,) in voxels, added in the source.
    """

    flips: tuple[int, ...]
    turns: int
    plane: tuple[int, int]
    matrix: Float[np.ndarray, "3 3"]
    shift: Float[np.ndarray, " 3"]


def draw_direct(rng: np.random.Generator, size: Size) -> DirectDraw:
    """Draw flips, quarter turns in a plane of equal sides, and an affine map about one axis."""
    planes = [plane for plane in AXIS_PAIRS if size[plane[0]] == size[plane[1]]]
    first, second = AXIS_PAIRS[rng.integers(3)]
    angle = math.radians(rng.uniform(-PUBLISHED.max_rotation, PUBLISHED.max_rotation))
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = math.cos(angle)
    matrix[second, first], matrix[first, second] = math.sin(angle), -math.sin(angle)
    zoom = 1 + rng.uniform(-PUBLISHED.max_zoom, PUBLISHED.max_zoom)
    return DirectDraw(
        flips=tuple(axis for axis in range(3) if rng.integers(2)),
        turns=int(rng.integers(4)) if planes else 0,
        plane=planes[rng.integers(len(planes))] if planes else (0, 1),
        matrix=zoom * matrix,
        shift=rng.uniform(-PUBLISHED.max_translation, PUBLISHED.max_translation, 3),
    )


def apply_direct(
    volume: npt.NDArray[np.generic], drawn: DirectDraw, *, order: int
) -> npt.NDArray[np.generic]:
    """Mirror, turn, then resample one volume.

    Args:
        volume: (D, H, W).
        drawn: The parameters of its pair.
        order: 1 for images, 0 for labels.

    Returns:
        (D, H, W) of the volume's type; 0 where the source has nothing.
    """
    turned = np.rot90(np.flip(volume, drawn.flips), drawn.turns, drawn.plane)
    centre = (np.array(turned.shape) - 1) / 2
    offset = centre - drawn.matrix @ centre + drawn.shift
    result: npt.NDArray[np.generic] = ndimage.affine_transform(
        turned, drawn.matrix, offset, order=order, mode="constant", cval=0
    )
    return result


def direct_batches(bank: CaseBank, *, batch: int, size: Size, seed: int) -> Iterator[Pair]:
    """Endless random pairs, cropped centrally and augmented volume after volume.

    Args:
        bank: At least two cases; read on the CPU.
        batch: Pairs of a batch.
        size: Voxels D, H, W.
        seed: Of the draws.

    Yields:
        Batches on the bank's device.
    """
    images, labels = (volumes[:, 0].cpu().numpy() for volumes in (bank.images, bank.labels))
    rng = np.random.default_rng(seed)
    window = tuple(
        slice((have - want) // 2, (have - want) // 2 + want)
        for have, want in zip(images.shape[1:], size, strict=True)
    )
    device = bank.images.device
    while True:
        rows: list[list[npt.NDArray[np.generic]]] = [[], [], [], []]
        for _ in range(batch):
            fixed, moving = rng.choice(len(images), 2, replace=False)
            drawn = draw_direct(rng, size)
            sources = (images[moving], images[fixed], labels[moving], labels[fixed])
            for row, source, order in zip(rows, sources, (1, 1, 0, 0), strict=True):
                row.append(apply_direct(source[window], drawn, order=order))
        yield Pair(*(torch.from_numpy(np.stack(row))[:, None].to(device) for row in rows))
