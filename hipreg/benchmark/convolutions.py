"""Where the time of a step goes, by kind of operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.profiler import ProfilerActivity, profile

from hipreg.benchmark.measure import Stopwatch

KINDS: Mapping[str, tuple[str, ...]] = {
    "convolution": ("conv",),
    "normalisation": ("norm",),
    "sampling": ("grid_sampler",),
    "matrix product": ("mm", "matmul", "addmv"),
    "optimiser": ("_fused_adam", "_foreach", "optimizer"),
    "copy": ("copy", "cat", "contiguous", "clone", "index", "zero", "fill"),
}
"""What the names of each kind's operators contain; the first that fits counts."""

REST = "element-wise and other"
OUTSIDE = "outside of operators"


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """What one operator, or kind of operator, costs in a step.

    Attributes:
        name: Of the operator; empty for a whole kind.
        kind: One of ``KINDS``, ``REST`` or ``OUTSIDE``.
        calls: In a step.
        seconds: In a step, without the operators that it calls itself.
        share: Of the step.
    """

    name: str
    kind: str
    calls: float
    seconds: float
    share: float


def kind_of(operator: str) -> str:
    """The kind of an operator by its name."""
    for kind, parts in KINDS.items():
        if any(part in operator.lower() for part in parts):
            return kind
    return REST


def operator_costs(
    call: Callable[[], object], *, device: torch.device, repeats: int = 2
) -> list[OperatorCost]:
    """Profile a step that has been warmed up.

    On a GPU, an operator's time is that of the kernels it started; the share is of the time that
    passed, so that an idle GPU shows as ``OUTSIDE``.

    Args:
        call: One step.
        device: What does the work.
        repeats: Steps to profile.

    Returns:
        Costs of single operators, the dearest first.
    """
    on_gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as profiler:
        watch = Stopwatch(device)
        for _ in range(repeats):
            call()
        watch.mark("steps")
        passed = watch.laps()["steps"][0]
    costs = []
    for event in profiler.key_averages():
        if event.device_type != DeviceType.CPU:
            continue
        micro = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if micro > 0:
            seconds, calls = micro / 1e6 / repeats, event.count / repeats
            share = seconds * repeats / passed
            costs.append(OperatorCost(event.key, kind_of(event.key), calls, seconds, share))
    inside = sum(cost.seconds for cost in costs)
    outside = max(passed / repeats - inside, 0.0)
    costs.append(OperatorCost("", OUTSIDE, 0, outside, outside * repeats / passed))
    return sorted(costs, key=lambda cost: -cost.seconds)


def cost_by_kind(costs: Sequence[OperatorCost]) -> list[OperatorCost]:
    """Sums over the operators of each kind, the dearest first."""
    sums = []
    for kind in dict.fromkeys(cost.kind for cost in costs):
        of_kind = [cost for cost in costs if cost.kind == kind]
        sums.append(
            OperatorCost(
                "",
                kind,
                sum(cost.calls for cost in of_kind),
                sum(cost.seconds for cost in of_kind),
                sum(cost.share for cost in of_kind),
            )
        )
    return sorted(sums, key=lambda cost: -cost.seconds)


def convolution_share(costs: Sequence[OperatorCost]) -> float:
    """Share of a step's time inside convolutions."""
    return sum(cost.share for cost in costs if cost.kind == "convolution")
