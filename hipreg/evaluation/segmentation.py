"""How well a network labels single cases: Dice and HD95 against their hard labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from hipreg.data.augment import central_part
from hipreg.data.batches import CaseBank
from hipreg.evaluation.aggregate import mean, quantile
from hipreg.evaluation.metrics import LabelVolume, dice
from hipreg.evaluation.network import Inference, slack
from hipreg.evaluation.surface import hd95
from hipreg.models import SegmentationNet
from hipreg.training import autocast


@dataclass(frozen=True, slots=True)
class CaseMetrics:
    """How well one label of one case was found.

    Attributes:
        case: Case number.
        label: The label that is spoken of.
        dice: 0 to 1; nan where the case does not have the label.
        hd95: Voxels; nan as for ``dice``; inf where the label was not found at all.
    """

    case: int
    label: int
    dice: float
    hd95: float


def measure_case(
    case: int, truth: LabelVolume, found: LabelVolume, *, labels: Sequence[int]
) -> list[CaseMetrics]:
    """Measure the labels that were found against the true ones.

    Args:
        case: Case number.
        truth: (D, H, W) hard labels.
        found: (D, H, W) hard labels.
        labels: Which labels to measure.

    Returns:
        One row a label, in the order of ``labels``.
    """
    rows = []
    for label in labels:
        wanted, got = truth == label, found == label
        measured = (dice(wanted, got), hd95(wanted, got)) if wanted.any() else (nan, nan)
        rows.append(CaseMetrics(case, label, *measured))
    return rows


@torch.inference_mode()
def segment_cases(
    net: SegmentationNet, images: Tensor, inference: Inference, *, flips: Sequence[int] = ()
) -> Iterator[UInt8[np.ndarray, "D H W"]]:
    """The hard labels of each image, in order; there are none outside the crop.

    Args:
        net: In evaluation mode.
        images: (N, 1, D, H, W) in [0, 1].
        inference: How the network is run.
        flips: Axes to mirror the images along, see ``SegmentationNet.probabilities``.
    """
    d, h, w = images.shape[2:]
    padding = slack(inference.size, (d, h, w))
    for start in range(0, len(images), inference.batch_size):
        part = central_part(images[start : start + inference.batch_size], size=inference.size)
        with autocast(part.device, inference.precision):
            found = net.label_map(part, flips=flips)
        yield from F.pad(found, padding)[:, 0].cpu().numpy()


def evaluate_segmentation(
    net: SegmentationNet, bank: CaseBank, inference: Inference, *, flips: Sequence[int] = ()
) -> list[CaseMetrics]:
    """Label all cases of a bank and measure them.

    Args:
        net: In evaluation mode.
        bank: The cases.
        inference: How the network is run.
        flips: As in ``segment_cases``.

    Returns:
        One row a case and label.
    """
    found = segment_cases(net, bank.images, inference, flips=flips)
    return [
        row
        for case, truth, label_map in zip(bank.cases, bank.labels, found, strict=True)
        for row in measure_case(
            case, truth[0].cpu().numpy(), label_map, labels=net.architecture.labels
        )
    ]


def aggregate_cases(rows: Iterable[CaseMetrics]) -> dict[str, float]:
    """The figures that a table or a log shows of one evaluation.

    Args:
        rows: One a case and label.

    Returns:
        ``dice`` and ``hd95`` (means over the cases of each case's mean over its labels),
        ``dice30`` (quantile 0.3 over the cases), and ``dice/label_<l>``, ``hd95/label_<l>``.
        Labels that a case does not have (nan) are left out; a figure of nothing is nan.

    Raises:
        ValueError: If there are no rows.
    """
    rows = list(rows)
    if not rows:
        raise ValueError("got no rows of metrics, wanted one per case and label")
    figures: dict[str, float] = {}
    for name in ("dice", "hd95"):
        by_case: dict[int, list[float]] = {}
        by_label: dict[int, list[float]] = {}
        for row in rows:
            value = getattr(row, name)
            if not isnan(value):
                by_case.setdefault(row.case, []).append(value)
                by_label.setdefault(row.label, []).append(value)
        of_cases = [mean(values) for values in by_case.values()]
        figures[name] = mean(of_cases)
        if name == "dice":
            figures["dice30"] = quantile(of_cases, 0.3)
        for label in sorted({row.label for row in rows}):
            figures[f"{name}/label_{label}"] = mean(by_label.get(label, []))
    return figures
