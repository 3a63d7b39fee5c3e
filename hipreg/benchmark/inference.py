"""How long registering and evaluating pairs takes with a trained network."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from hipreg.benchmark.material import Material
from hipreg.benchmark.measure import time_calls
from hipreg.benchmark.setting import Setting
from hipreg.data import CasePair
from hipreg.data.augment import central_crop
from hipreg.evaluation import PairJob, evaluate_pairs
from hipreg.evaluation.network import Inference, pair_job, register_pairs
from hipreg.models import RegistrationNet, build
from hipreg.training import autocast


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceTimes:
    """Median seconds.

    Attributes:
        setting: Of the network; one way, whatever it says.
        one_pair: From one pair on the device to its displacement there.
        batch: The same, a pair, in batches.
        stream: A pair, of many pairs from cases on the device to displacements on the host.
        evaluation: Of all pairs together: registered, warped, and Dice, HD95 and SDlogJ measured.
        pairs: How many pairs were streamed and evaluated.
    """

    setting: Setting
    one_pair: float
    batch: float
    stream: float
    evaluation: float
    pairs: int


def time_inference(setting: Setting, material: Material, *, repeats: int) -> InferenceTimes:
    """Measure inference and evaluation with the network, crop, batch and precision of a setting.

    Args:
        setting: What to measure.
        material: Its ``pairs`` are registered.
        repeats: Calls of which the median is taken; at most three of streams and evaluations.
    """
    device = material.held.images.device
    net = build(setting.architecture).to(device).eval()
    inference = Inference(size=setting.size, batch_size=setting.batch, precision=setting.precision)
    pairs, few = material.pairs, min(repeats, 3)

    def median(seconds: Sequence[float]) -> float:
        return statistics.median(seconds)

    stream = time_calls(
        lambda: sum(1 for _ in register_pairs(net, material.held, pairs, inference)),
        device=device,
        repeats=few,
    )
    evaluation = time_calls(
        lambda: evaluate_pairs(_jobs(net, material, inference), material.labels),
        device=device,
        repeats=few,
    )
    return InferenceTimes(
        setting=setting,
        one_pair=median(_time_net(net, material, inference, 1, repeats)),
        batch=median(_time_net(net, material, inference, setting.batch, repeats)) / setting.batch,
        stream=median(stream) / len(pairs),
        evaluation=median(evaluation),
        pairs=len(pairs),
    )


def _time_net(
    net: RegistrationNet, material: Material, inference: Inference, batch: int, repeats: int
) -> tuple[float, ...]:
    cases = torch.arange(batch + 1) % len(material.held.cases)
    pair = central_crop(material.held.pair(cases[1:], cases[:-1]), size=inference.size)
    device = pair.fixed.device

    def call() -> None:
        with torch.inference_mode(), autocast(device, inference.precision):
            net(pair.moving, pair.fixed)

    return time_calls(call, device=device, repeats=repeats)


def _jobs(net: RegistrationNet, material: Material, inference: Inference) -> Iterator[PairJob]:
    bank = material.held
    pairs: Sequence[CasePair] = material.pairs
    for pair, displacement in register_pairs(net, bank, pairs, inference):
        yield pair_job(bank, pair, displacement)
