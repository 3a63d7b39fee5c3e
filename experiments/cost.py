"""What a run costs: seconds per pair in training and in use, and memory."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from experiments.cases import Cases
from hipreg.benchmark.measure import peak_memory, time_calls
from hipreg.data.augment import central_crop
from hipreg.evaluation.network import Inference
from hipreg.models import RegistrationNet
from hipreg.training import SELECTION_METRIC, Hook, TrainingState, autocast

COST = "cost"
"""Entry of the run's info with ``seconds_per_pair``, ``training_seconds_per_pair``, ``memory_mb``
and ``batch_size``."""

_REPEATS = 3


class MeasureCost(Hook):
    """Time registering one batch at the first evaluation, and keep the peak of memory.

    Goes after the evaluation, whose warm-up it shares.

    Args:
        run: Its ``info`` gets the entry ``COST``.
        net: What is trained.
        cases: The selection pairs are timed.
        inference: How the network is evaluated.
    """

    def __init__(self, run: Any, net: RegistrationNet, cases: Cases, inference: Inference) -> None:
        self.run, self.net, self.cases, self.inference = run, net, cases, inference
        self.seconds: float | None = None
        self.training: list[float] = []

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        self.training.append(1 / log["pairs_per_second"])
        if SELECTION_METRIC not in log:
            return
        if self.seconds is None:
            self.seconds = self._inference()
        self.run.info[COST] = {
            "seconds_per_pair": self.seconds,
            "training_seconds_per_pair": statistics.median(self.training),
            "memory_mb": peak_memory(self.cases.held.images.device) / 1e6,
            "batch_size": self.inference.batch_size,
        }

    def _inference(self) -> float:
        """Seconds a pair, from images on the device to displacements there, one way."""
        pairs = self.cases.pairs["selection"][: self.inference.batch_size]
        (whole,) = self.cases.held.named_pairs(pairs, batch_size=len(pairs))
        pair = central_crop(whole, size=self.inference.size)
        device = pair.fixed.device

        def call() -> None:
            with torch.inference_mode(), autocast(device, self.inference.precision):
                self.net(pair.moving, pair.fixed)

        return statistics.median(time_calls(call, device=device, repeats=_REPEATS)) / len(pairs)
