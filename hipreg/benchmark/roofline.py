"""What the machine could do at best, and how close a step comes to it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from hipreg.benchmark.child import Measured
from hipreg.benchmark.measure import time_calls
from hipreg.benchmark.work import Work

CPU_SIDE, GPU_SIDE = 2048, 8192
"""Rows of the square matrices whose product is the peak."""

CONVOLUTION_CHANNELS, CONVOLUTION_SIDE = 64, 48
"""Of the 3^3 convolution whose rate is the peak where that is higher."""

CPU_COPY, GPU_COPY = 1 << 26, 1 << 28
"""Floats of the copy whose rate is the peak; far more than caches hold."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """Measured peaks of the machine.

    Attributes:
        flops: FLOP/s of a large matrix product or convolution, whichever is faster, by precision.
            On a CPU the two come from different libraries.
        bandwidth: Bytes read and written a second by a large copy.
    """

    flops: dict[str, float]
    bandwidth: float


@dataclass(frozen=True, slots=True)
class Achieved:
    """A step against the machine's peaks.

    Attributes:
        flops: FLOP/s.
        bandwidth: Bytes/s; above the peak where caches serve.
        intensity: FLOP a byte.
        bound: Seconds that the peaks allow at best, everything overlapping.
    """

    flops: float
    bandwidth: float
    intensity: float
    bound: float


def measure_peaks(device: torch.device, *, shrink: int = 1) -> Peaks:
    """Measure the peaks.

    Args:
        device: Whose.
        shrink: Smaller matrices and copies by this factor a side, to be done at once.
    """
    on_gpu = device.type == "cuda"
    side = (GPU_SIDE if on_gpu else CPU_SIDE) // shrink
    types = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    flops = {
        name: max(_matmul_rate(side, kind, device), _convolution_rate(shrink, kind, device))
        for name, kind in types.items()
    }
    floats = (GPU_COPY if on_gpu else CPU_COPY) // shrink**2
    source = torch.ones(floats, device=device)
    target = torch.empty_like(source)
    seconds = time_calls(lambda: target.copy_(source), device=device, repeats=5)
    return Peaks(flops, 2 * source.nbytes / statistics.median(seconds))


def _matmul_rate(side: int, kind: torch.dtype, device: torch.device) -> float:
    matrix = torch.ones((side, side), dtype=kind, device=device)
    result = torch.empty_like(matrix)
    before = torch.get_float32_matmul_precision()
    try:
        # On a GPU, convolutions may round float32 to TensorFloat-32; the peak must be theirs.
        torch.set_float32_matmul_precision("high" if device.type == "cuda" else before)
        seconds = time_calls(
            lambda: torch.mm(matrix, matrix, out=result), device=device, repeats=5
        )
    finally:
        torch.set_float32_matmul_precision(before)
    return 2 * side**3 / statistics.median(seconds)


def _convolution_rate(shrink: int, kind: torch.dtype, device: torch.device) -> float:
    channels, side = CONVOLUTION_CHANNELS, max(CONVOLUTION_SIDE // shrink, 1)
    layout = torch.channels_last_3d
    features = torch.ones((2, channels, side, side, side), dtype=kind, device=device)
    weight = torch.ones((channels, channels, 3, 3, 3), dtype=kind, device=device)
    features, weight = features.to(memory_format=layout), weight.to(memory_format=layout)
    with torch.no_grad():
        seconds = time_calls(
            lambda: F.conv3d(features, weight, padding=1), device=device, repeats=5
        )
    return 2 * features.numel() * channels * 27 / statistics.median(seconds)


def achieved(measured: Measured, peaks: Peaks) -> Achieved:
    """How a measured step compares with the peaks of its precision."""
    work, seconds = measured.work, measured.median
    return Achieved(
        flops=work.flops / seconds,
        bandwidth=work.bytes / seconds,
        intensity=work.flops / max(work.bytes, 1.0),
        bound=bound(work, peaks, measured.setting.precision),
    )


def bound(work: Work, peaks: Peaks, precision: str) -> float:
    """Seconds that some work takes at least."""
    return max(work.flops / peaks.flops[precision], work.bytes / peaks.bandwidth)
