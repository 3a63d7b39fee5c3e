"""Training batches of single cases with soft labels, from cases on the training device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from hipreg.data.augment import AffineMaps, Augmentation, draw, resample_channels
from hipreg.data.batches import CaseBank
from hipreg.data.channels import soften
from hipreg.data.intensity import (
    Intensities,
    IntensityChange,
    change_intensities,
    draw_intensities,
)
from hipreg.data.random import generator_of
from hipreg.types import Labelled, Size


@dataclass(frozen=True, slots=True)
class CasePlan:
    """What a batch is to be made of: all that is random about it, and no image yet.

    Attributes:
        rows: (B,) positions in a bank.
        maps: One augmentation a case.
        intensities: One change of intensities a case.
        size: Voxels D, H, W of the batch.
    """

    rows: Int64[Tensor, " B"]
    maps: AffineMaps
    intensities: Intensities
    size: Size

    def __len__(self) -> int:
        return len(self.rows)

    def make(self, bank: CaseBank, *, labels: Sequence[int], border: float = 0) -> Labelled:
        """The batch, on the bank's device.

        Image and labels are read at the same positions, and both linearly: a label that is cut
        by the turned grid is soft at its border, and not jagged.

        Args:
            bank: The cases.
            labels: Values of the labels to be told apart.
            border: How far labels fade, see ``soften``.

        Raises:
            ValueError: If ``border`` lies outside its range.
        """
        rows = self.rows.to(bank.images.device)
        images, targets = resample_channels(
            bank.images[rows], bank.labels[rows], self.maps, wanted=labels, size=self.size
        )
        return Labelled(
            change_intensities(images, self.intensities), soften(targets, border=border)
        )


def case_plans(
    bank: CaseBank,
    *,
    batch_size: int,
    size: Size,
    augmentation: Augmentation,
    intensity: IntensityChange,
    seed: int,
    epoch: int,
) -> Iterator[CasePlan]:
    """The plans of one epoch's batches: each case once.

    An epoch depends on ``seed`` and ``epoch`` alone.

    Args:
        bank: The cases.
        batch_size: Cases of a batch; the last batch of an epoch may be smaller.
        size: Voxels D, H, W of the batches.
        augmentation: What may be drawn of flips, turns and affine maps.
        intensity: What may be drawn of changes of intensity.
        seed: Of the whole training.
        epoch: Which epoch, from 0.
    """
    generator = generator_of(seed, epoch)
    order = torch.randperm(len(bank.cases), generator=generator)
    d, h, w = bank.images.shape[2:]
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        yield CasePlan(
            rows=rows,
            maps=draw(
                augmentation, batch=len(rows), source=(d, h, w), size=size, generator=generator
            ),
            intensities=draw_intensities(intensity, batch=len(rows), generator=generator),
            size=size,
        )
