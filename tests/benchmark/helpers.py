"""A tiny benchmark that many tests share."""

from __future__ import annotations

import torch

from hipreg.benchmark.child import Kind, Measured
from hipreg.benchmark.setting import Setting
from hipreg.benchmark.work import Work
from hipreg.data import synthetic_pair
from hipreg.data.batches import CaseBank
from hipreg.models import Architecture
from hipreg.types import Pair, Size
from tests.helpers import SMALL

SHALLOW = Architecture(channel_multiplication=0.5, pool_blocks=2, zero_init=False)
SETTING = Setting(architecture=SHALLOW, size=SMALL, batch=2)


def synthetic_bank(*, size: Size = SMALL, pairs: int = 2) -> CaseBank:
    """The cases of some synthetic pairs, moving before fixed."""
    found = [synthetic_pair(0, index, size=size) for index in range(pairs)]
    images = [image for pair in found for image in (pair.moving, pair.fixed)]
    labels = [label for pair in found for label in (pair.moving_label, pair.fixed_label)]
    return CaseBank(
        cases=tuple(range(1, 2 * pairs + 1)),
        images=torch.stack([torch.from_numpy(image) for image in images])[:, None],
        labels=torch.stack([torch.from_numpy(label) for label in labels])[:, None],
    )


def synthetic_batch(*, size: Size = SMALL, pairs: int = 2) -> Pair:
    """Some synthetic pairs."""
    moving = torch.arange(0, 2 * pairs, 2)
    return synthetic_bank(size=size, pairs=pairs).pair(moving, moving + 1)


def measured(kind: Kind = "fast", *, seconds: float = 1.0, setting: Setting = SETTING) -> Measured:
    """A measurement of round numbers."""
    return Measured(
        kind=kind,
        setting=setting,
        seconds=(seconds,),
        phases={"data": 0.25 * seconds, "forward": 0.75 * seconds},
        memory_before=10,
        memory_peak=30,
        work=Work(flops=2e9, bytes=1e9),
    )
