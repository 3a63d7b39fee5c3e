"""A whole benchmark: what is measured, one after the other, and what came out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from hipreg.benchmark.child import ChildError, Job, Kind, Measured, measure_in_child
from hipreg.benchmark.inference import InferenceTimes, time_inference
from hipreg.benchmark.material import Material
from hipreg.benchmark.roofline import Peaks, measure_peaks
from hipreg.benchmark.setting import Setting, size_name

logger = logging.getLogger(__name__)

_START = 8e6
"""Starting a process, in units of ``Setting.work``."""

_DIRECT = 45.0
"""How much slower a direct step is at least, for the time to go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure.

    Attributes:
        settings: Training steps; inference runs once for each of their networks, sizes and
            precisions.
        sweep: Further fast steps by what varies in them.
        direct: Also measure the direct step of each network, batch and way, at the largest size.
        repeats: Steps and calls that count.
        direct_repeats: Direct steps that count.
        shrink: Measure the machine's peaks on smaller matrices, by this factor a side.
    """

    settings: Sequence[Setting]
    sweep: Mapping[str, Sequence[Setting]] = field(default_factory=dict)
    direct: bool = True
    repeats: int = 5
    direct_repeats: int = 1
    shrink: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How a fast step compares with the direct one of the same run.

    Attributes:
        fast: The fast step.
        direct: The direct one; its volumes may be larger, and it is always in float32.
    """

    fast: Measured
    direct: Measured

    @property
    def time(self) -> float:
        """How many times faster."""
        return self.direct.median / self.fast.median

    @property
    def memory(self) -> float:
        """How many times less memory."""
        return self.direct.memory / max(self.fast.memory, 1)


@dataclass(slots=True)
class Results:
    """What came out.

    Attributes:
        peaks: Of the machine.
        steps: Fast steps.
        direct: Direct steps.
        sweep: Fast steps by what varies.
        inference: Inference and evaluation.
        failures: What could not be measured, and why.
    """

    peaks: Peaks
    steps: list[Measured] = field(default_factory=list)
    direct: list[Measured] = field(default_factory=list)
    sweep: dict[str, list[Measured]] = field(default_factory=dict)
    inference: list[InferenceTimes] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def ratios(self) -> list[Ratio]:
        """Every fast step that has a direct one of its network, batch and way."""
        return [
            Ratio(fast=fast, direct=direct)
            for fast in self.steps
            for direct in self.direct
            if _comparable(fast.setting) == _comparable(direct.setting)
        ]


@dataclass(frozen=True, slots=True)
class _Task:
    name: str
    weight: float
    run: Callable[[Results], object]


def run_suite(plan: Plan, material: Material) -> Results:
    """Measure everything, saying in the log how far it has come.

    A step that fails (for want of memory, most of all) is noted, and the rest goes on.

    Raises:
        ValueError: If a setting does not suit the material.
    """
    for setting in [*plan.settings, *(one for some in plan.sweep.values() for one in some)]:
        _check(setting, material)
    device = material.training.images.device
    tasks = _step_tasks(plan, material) + _inference_tasks(plan, material)
    logger.info("measuring the machine's peaks, then %d costs", len(tasks))
    results = Results(measure_peaks(device, shrink=plan.shrink))
    began, done, total = time.perf_counter(), 0.0, sum(task.weight for task in tasks)
    for number, task in enumerate(tasks, start=1):
        outcome = "done"
        try:
            task.run(results)
        except (ChildError, torch.OutOfMemoryError) as error:
            outcome = f"failed: {error}"
            results.failures.append(f"{task.name}: {error}")
        done += task.weight
        elapsed = time.perf_counter() - began
        logger.info(
            "[%d/%d] %s: %s; %s gone, about %s to go",
            number,
            len(tasks),
            task.name,
            outcome,
            _clock(elapsed),
            _clock(elapsed * (total - done) / done),
        )
    return results


def direct_settings(settings: Sequence[Setting]) -> list[Setting]:
    """The direct steps that fast ones are compared with: each at the largest of their sizes."""
    largest: dict[object, Setting] = {}
    for setting in settings:
        key = _comparable(setting)
        known = largest.get(key)
        if known is None or setting.work > known.work:
            largest[key] = replace(setting, precision="float32")
    return list(largest.values())


def _comparable(setting: Setting) -> object:
    return setting.architecture, setting.batch, setting.symmetric


def _step_tasks(plan: Plan, material: Material) -> list[_Task]:
    steps = [_step_task("fast", one, plan.repeats, material) for one in plan.settings]
    # A setting that occurs on several axes is measured once.
    axes: dict[Setting, list[str]] = {}
    for axis, settings in plan.sweep.items():
        for setting in settings:
            axes.setdefault(setting, []).append(axis)
    sweep = [
        _step_task("fast", setting, min(plan.repeats, 3), material, where)
        for setting, where in axes.items()
    ]
    direct = [
        _step_task("direct", setting, plan.direct_repeats, material)
        for setting in (direct_settings(plan.settings) if plan.direct else ())
    ]
    return steps + sweep + direct


def _step_task(
    kind: Kind, setting: Setting, repeats: int, material: Material, axes: Sequence[str] = ()
) -> _Task:
    """One step, for the axes of a sweep or, without any, for itself."""
    job = Job(
        kind=kind,
        setting=setting,
        repeats=repeats,
        labels=material.labels,
        device=str(material.training.images.device),
        threads=torch.get_num_threads(),
        profile=kind == "fast" and not axes,
    )

    def run(results: Results) -> None:
        measured = measure_in_child(job, material.training)
        for axis in axes:
            results.sweep.setdefault(axis, []).append(measured)
        if not axes:
            (results.steps if kind == "fast" else results.direct).append(measured)

    calls = 2 * repeats + 6 if kind == "fast" else _DIRECT * repeats
    name = f"{kind} step, {setting}, {setting.precision}"
    return _Task(name, _START + calls * setting.work, run)


def _inference_tasks(plan: Plan, material: Material) -> list[_Task]:
    # Neither the number of directions nor the loss matters any more.
    chosen = {
        (setting.architecture, setting.size, setting.precision): setting
        for setting in reversed(plan.settings)
    }
    calls = 2 * len(material.pairs)
    return [
        _Task(
            f"inference, channels {setting.channels:g}, {size_name(setting.size)}, "
            f"{setting.precision}",
            setting.work * (calls / setting.batch + plan.repeats) / 3,
            lambda results, setting=setting: results.inference.append(  # type: ignore[misc]
                time_inference(setting, material, repeats=plan.repeats)
            ),
        )
        for setting in reversed(chosen.values())
    ]


def _check(setting: Setting, material: Material) -> None:
    multiple = setting.architecture.input_stride << setting.architecture.pool_blocks
    sides = zip(setting.size, material.size, strict=True)
    if any(not 0 < side <= have or side % multiple for side, have in sides):
        raise ValueError(
            f"each side of a size must be a multiple of {multiple} and fit into the grid "
            f"{size_name(material.size)}, got {size_name(setting.size)}"
        )
    if setting.batch < 1:
        raise ValueError(f"a batch needs at least one pair, got {setting.batch}")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} min"
