"""Training and evaluation batches from cases that live on the training device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from hipreg.data.augment import NO_AUGMENTATION, Augmentation, apply, central_crop, draw
from hipreg.data.cohort import Cohort
from hipreg.data.pairs import CasePair
from hipreg.types import Pair, Size


@dataclass(frozen=True, slots=True)
class CaseBank:
    """The images and labels of some cases as tensors on one device.

    Attributes:
        cases: Case numbers, in the order of the volumes.
        images: (N, 1, D, H, W) in [0, 1].
        labels: (N, 1, D, H, W).
    """

    cases: tuple[int, ...]
    images: Float[Tensor, "N 1 D H W"]
    labels: UInt8[Tensor, "N 1 D H W"]

    @staticmethod
    def of(
        cohort: Cohort, cases: Sequence[int], *, device: torch.device | str = "cpu"
    ) -> CaseBank:
        """Copy some cases of a cohort to a device.

        Raises:
            ValueError: If a case is unknown or has no label.
        """
        chosen = cohort.select(cases)
        unlabelled = [c for c, has in zip(chosen.cases, chosen.labelled, strict=True) if not has]
        if unlabelled:
            raise ValueError(f"cases without a label cannot be trained on: {unlabelled}")
        images = torch.from_numpy(np.ascontiguousarray(chosen.images))
        labels = torch.from_numpy(np.ascontiguousarray(chosen.labels))
        return CaseBank(
            cases=tuple(chosen.cases),
            images=images[:, None].to(device),
            labels=labels[:, None].to(device),
        )

    def pair(self, moving: Tensor, fixed: Tensor) -> Pair:
        """The pairs of cases at the given positions (two index tensors of one length)."""
        moving, fixed = moving.to(self.images.device), fixed.to(self.images.device)
        return Pair(
            moving=self.images[moving],
            fixed=self.images[fixed],
            moving_label=self.labels[moving],
            fixed_label=self.labels[fixed],
        )

    def named_pairs(self, pairs: Sequence[CasePair], *, batch_size: int) -> Iterator[Pair]:
        """Given pairs of cases in their order, in batches."""
        position = {case: i for i, case in enumerate(self.cases)}
        for start in range(0, len(pairs), batch_size):
            part = pairs[start : start + batch_size]
            yield self.pair(
                torch.tensor([position[pair.moving] for pair in part]),
                torch.tensor([position[pair.fixed] for pair in part]),
            )


def training_batches(
    bank: CaseBank,
    *,
    batch_size: int,
    size: Size,
    augmentation: Augmentation = NO_AUGMENTATION,
    seed: int,
    epoch: int,
) -> Iterator[Pair]:
    """The batches of one epoch: each case once as fixed, with a random other case as moving.

    An epoch depends on ``seed`` and ``epoch`` alone, so that a resumed training sees the very
    pairs that an uninterrupted one sees.

    Args:
        bank: At least two cases.
        batch_size: Pairs of a batch; the last batch of an epoch may be smaller.
        size: Voxels D, H, W of the batches.
        augmentation: What may be drawn; one draw serves both images of a pair.
        seed: Of the whole training.
        epoch: Which epoch, from 0.

    Raises:
        ValueError: If there are fewer than two cases.
    """
    count = len(bank.cases)
    if count < 2:
        raise ValueError(f"training needs at least two cases, got {count}")
    generator = epoch_generator(seed, epoch)
    fixed = torch.randperm(count, generator=generator)
    moving = (fixed + torch.randint(1, count, (count,), generator=generator)) % count
    d, h, w = bank.images.shape[2:]
    for start in range(0, count, batch_size):
        part = slice(start, start + batch_size)
        pair = bank.pair(moving[part], fixed[part])
        if augmentation.none:
            yield central_crop(pair, size=size)
        else:
            maps = draw(
                augmentation,
                batch=len(pair.fixed),
                source=(d, h, w),
                size=size,
                generator=generator,
            )
            yield apply(pair, maps, size=size)


def epoch_generator(seed: int, epoch: int) -> torch.Generator:
    """A generator that depends on both numbers, and differs for any two pairs of them."""
    state = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)
