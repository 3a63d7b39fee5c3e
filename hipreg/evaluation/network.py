"""A network's displacements and losses on given pairs of cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch.nn import functional as F

from hipreg.data.augment import central_crop
from hipreg.data.batches import CaseBank
from hipreg.data.pairs import CasePair
from hipreg.evaluation.evaluate import PairJob, evaluate_pairs
from hipreg.evaluation.rows import LabelMetrics
from hipreg.losses import Objective
from hipreg.training import autocast
from hipreg.training.step import Registrar
from hipreg.types import Displacement, Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """How a network is run.

    Attributes:
        size: Central crop D, H, W that the network sees; displacements are of full size all the
            same.
        batch_size: Pairs at once.
        precision: ``float32`` or ``bfloat16``.
    """

    size: Size
    batch_size: int = 8
    precision: str = "float32"


@dataclass(frozen=True, slots=True)
class NetworkEvaluation:
    """What a network does on some pairs.

    Attributes:
        rows: Metrics, one row a pair and label.
        losses: The objective's total under ``""`` and its terms by name, means over the pairs.
    """

    rows: list[LabelMetrics]
    losses: dict[str, float]


def extend(displacement: Displacement, *, size: Size) -> Displacement:
    """Put the displacement of a central crop on the full grid, its border values repeated.

    Args:
        displacement: (B, 3, d, h, w) in voxels.
        size: Voxels D, H, W of the full grid.

    Raises:
        ValueError: If the full grid is smaller than the crop.
    """
    d, h, w = displacement.shape[2:]
    padding = slack((d, h, w), size)
    return F.pad(displacement, padding, mode="replicate")


def slack(part: Size, whole: Size) -> list[int]:
    """How far a grid reaches beyond its central part, as ``F.pad`` wants it.

    Raises:
        ValueError: If the whole is smaller than the part.
    """
    rest = [outer - inner for outer, inner in zip(whole, part, strict=True)]
    if min(rest) < 0:
        raise ValueError(f"a central part of size {part} does not fit into a grid of {whole}")
    return [side for s in reversed(rest) for side in (s // 2, s - s // 2)]


def pair_job(
    bank: CaseBank, pair: CasePair, displacement: Float[np.ndarray, "3 D H W"] | None = None
) -> PairJob:
    """What there is to measure of a pair of cases; None for the pair before registration."""
    fixed, moving = (bank.cases.index(case) for case in (pair.fixed, pair.moving))
    return PairJob(
        fixed=pair.fixed,
        moving=pair.moving,
        fixed_label=bank.labels[fixed, 0].cpu().numpy(),
        moving_label=bank.labels[moving, 0].cpu().numpy(),
        displacement=displacement,
    )


def register_pairs(
    net: Registrar, bank: CaseBank, pairs: Sequence[CasePair], inference: Inference
) -> Iterator[tuple[CasePair, Float[np.ndarray, "3 D H W"]]]:
    """The displacement of each pair, in voxels of the bank's grid, in order."""
    for chunk, displacements, _ in _register(net, bank, pairs, inference, None):
        yield from zip(chunk, displacements, strict=True)


def evaluate_network(
    net: Registrar,
    bank: CaseBank,
    pairs: Sequence[CasePair],
    inference: Inference,
    *,
    objective: Objective,
    workers: int | None = None,
) -> NetworkEvaluation:
    """Register pairs and measure them while the next ones are being registered.

    Args:
        net: In evaluation mode.
        bank: All cases that the pairs name.
        pairs: What to register.
        inference: How.
        objective: Its value is reported for the forward direction.
        workers: Threads that measure; None for all cores.
    """
    sums: dict[str, float] = {}

    def jobs() -> Iterator[PairJob]:
        for chunk, displacements, losses in _register(net, bank, pairs, inference, objective):
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value * len(chunk) / len(pairs)
            for pair, displacement in zip(chunk, displacements, strict=True):
                yield pair_job(bank, pair, displacement)

    rows = evaluate_pairs(jobs(), objective.labels, workers=workers)
    return NetworkEvaluation(rows=list(rows), losses=sums)


@torch.inference_mode()
def _register(
    net: Registrar,
    bank: CaseBank,
    pairs: Sequence[CasePair],
    inference: Inference,
    objective: Objective | None,
) -> Iterator[tuple[Sequence[CasePair], Float[np.ndarray, "B 3 D H W"], dict[str, float]]]:
    d, h, w = bank.images.shape[2:]
    batches = bank.named_pairs(pairs, batch_size=inference.batch_size)
    for start, whole in zip(range(0, len(pairs), inference.batch_size), batches, strict=True):
        pair = central_crop(whole, size=inference.size)
        with autocast(pair.fixed.device, inference.precision):
            registration = net(pair.moving, pair.fixed)
        losses: dict[str, float] = {}
        if objective is not None:
            loss = objective(registration, pair)
            losses = {"": float(loss.total)} | {k: float(v) for k, v in loss.terms.items()}
        displacement = extend(registration.displacement, size=(d, h, w)).cpu().numpy()
        yield pairs[start : start + inference.batch_size], displacement, losses
