"""Training and evaluation batches from cases that live on the training device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from hipreg.data.augment import (
    NO_AUGMENTATION,
    AffineMaps,
    Augmentation,
    central_crop,
    draw,
    resample,
)
from hipreg.data.cohort import Cohort
from hipreg.data.pairs import CasePair
from hipreg.data.random import generator_of
from hipreg.types import Pair, Size

Share = Callable[[int], slice]
"""Which pairs of a batch of a given length a process makes."""


def whole(length: int) -> slice:
    """All pairs of a batch."""
    return slice(length)


class PairSource(Protocol):
    """What a network can be trained on."""

    @property
    def device(self) -> torch.device:
        """Where its batches lie."""

    def __len__(self) -> int:
        """Pairs of an epoch."""

    def batches(
        self,
        *,
        batch_size: int,
        size: Size,
        augmentation: Augmentation,
        seed: int,
        epoch: int,
        share: Share,
    ) -> Iterator[Pair]:
        """The batches of one epoch, which depend on ``seed`` and ``epoch`` alone."""


@dataclass(frozen=True, slots=True)
class CaseBank:
    """The images and labels of some cases as tensors on one device.

    Attributes:
        cases: Case numbers, in the order of the volumes.
        images: (N, 1, D, H, W) in [0, 1].
        labels: (N, 1, D, H, W).
        groups: What each case may be paired with: cases of its own group; None for all.
    """

    cases: tuple[int, ...]
    images: Float[Tensor, "N 1 D H W"]
    labels: UInt8[Tensor, "N 1 D H W"]
    groups: tuple[int, ...] | None = None

    @staticmethod
    def of(
        cohort: Cohort,
        cases: Sequence[int],
        *,
        device: torch.device | str = "cpu",
        groups: Sequence[int] | None = None,
    ) -> CaseBank:
        """Copy some cases of a cohort to a device.

        Raises:
            ValueError: If a case is unknown, or has no label where the data set has labels.
        """
        chosen = cohort.select(cases)
        unlabelled = [c for c, has in zip(chosen.cases, chosen.labelled, strict=True) if not has]
        if unlabelled and cohort.description.labels:
            raise ValueError(f"cases without a label cannot be trained on: {unlabelled}")
        images = torch.from_numpy(np.ascontiguousarray(chosen.images))
        labels = torch.from_numpy(np.ascontiguousarray(chosen.labels))
        return CaseBank(
            cases=tuple(chosen.cases),
            images=images[:, None].to(device),
            labels=labels[:, None].to(device),
            groups=None if groups is None else tuple(groups),
        )

    @property
    def device(self) -> torch.device:
        """Where the volumes lie."""
        return self.images.device

    def __len__(self) -> int:
        return len(self.cases)

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
        """The batches of one epoch, or a share of each, see ``training_plans``."""
        plans = training_plans(
            self,
            batch_size=batch_size,
            size=size,
            augmentation=augmentation,
            seed=seed,
            epoch=epoch,
        )
        return (plan.part(share(len(plan))).make(self) for plan in plans)

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


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What a batch is to be made of: all that is random about it, and no image yet.

    Attributes:
        moving: (B,) positions in a bank.
        fixed: (B,) positions in a bank.
        maps: One augmentation a pair; None for a central crop.
        size: Voxels D, H, W of the batch.
    """

    moving: Int64[Tensor, " B"]
    fixed: Int64[Tensor, " B"]
    maps: AffineMaps | None
    size: Size

    def __len__(self) -> int:
        return len(self.fixed)

    def part(self, chosen: slice) -> BatchPlan:
        """Some pairs of the batch, augmented as in the whole of it."""
        maps = self.maps and AffineMaps(self.maps.matrix[chosen], self.maps.offset[chosen])
        return BatchPlan(self.moving[chosen], self.fixed[chosen], maps, self.size)

    def make(self, bank: CaseBank) -> Pair:
        """The batch, on the bank's device."""
        if self.maps is None:
            return central_crop(bank.pair(self.moving, self.fixed), size=self.size)
        rows = torch.cat([self.moving, self.fixed]).to(bank.images.device)
        images, labels = resample(
            bank.images, bank.labels, self.maps.repeated(2), rows=rows, size=self.size
        )
        (moving, fixed), (moving_label, fixed_label) = images.chunk(2), labels.chunk(2)
        return Pair(moving, fixed, moving_label, fixed_label)


def training_plans(
    bank: CaseBank,
    *,
    batch_size: int,
    size: Size,
    augmentation: Augmentation = NO_AUGMENTATION,
    seed: int,
    epoch: int,
) -> Iterator[BatchPlan]:
    """The plans of one epoch's batches: each case once as fixed, a random other case as moving.

    Where the bank has groups, both cases of a pair are of one.

    An epoch depends on ``seed`` and ``epoch`` alone, so that a resumed training sees the very
    pairs that an uninterrupted one sees, and each of several processes the same plans.

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
    generator = generator_of(seed, epoch)
    fixed = torch.randperm(count, generator=generator)
    if bank.groups is None:
        moving = (fixed + torch.randint(1, count, (count,), generator=generator)) % count
    else:
        moving = _partners(bank.groups, generator)[fixed]
    d, h, w = bank.images.shape[2:]
    for start in range(0, count, batch_size):
        part = slice(start, start + batch_size)
        maps = None
        if not augmentation.none:
            maps = draw(
                augmentation,
                batch=len(fixed[part]),
                source=(d, h, w),
                size=size,
                generator=generator,
            )
        yield BatchPlan(moving[part], fixed[part], maps, size)


def _partners(groups: Sequence[int], generator: torch.Generator) -> Int64[Tensor, " N"]:
    """For each case a random other one of its group.

    Raises:
        ValueError: If a case is alone in its group.
    """
    group = torch.tensor(groups)
    partners = torch.empty(len(group), dtype=torch.int64)
    for value in sorted(set(groups)):
        members = torch.nonzero(group == value)[:, 0]
        count = len(members)
        if count < 2:
            raise ValueError(f"training needs at least two cases of a group, got {count}")
        other = torch.arange(count) + torch.randint(1, count, (count,), generator=generator)
        partners[members] = members[other % count]
    return partners
