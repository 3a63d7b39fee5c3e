"""Time of phases and peak of memory, on a CPU and on a GPU."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

Mark = Callable[[str], None]
"""To be called at the end of a phase with its name."""

LONG_CALL = 10.0
"""Seconds after which a first call counts: what it warms up no longer matters."""

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass(slots=True)
class Stopwatch:
    """Durations of phases that follow one another.

    On a GPU, events are put into its queue and read at the end: nothing waits in between.

    Attributes:
        device: What does the work.
    """

    device: torch.device
    _marks: list[tuple[str, float | torch.cuda.Event]] = field(default_factory=list)

    def __post_init__(self) -> None:
        synchronise(self.device)
        self.mark("")

    def mark(self, name: str) -> None:
        """The end of phase ``name`` and the start of the next."""
        if self.device.type != "cuda":
            self._marks.append((name, time.perf_counter()))
            return
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        self._marks.append((name, event))

    def laps(self) -> dict[str, list[float]]:
        """Seconds of each phase, in the order of the marks."""
        synchronise(self.device)
        result: dict[str, list[float]] = {}
        for (_, start), (name, end) in zip(self._marks, self._marks[1:], strict=False):
            result.setdefault(name, []).append(_seconds(start, end))
        return result


def _seconds(start: float | torch.cuda.Event, end: float | torch.cuda.Event) -> float:
    if isinstance(start, float) and isinstance(end, float):
        return end - start
    assert isinstance(start, torch.cuda.Event)
    assert isinstance(end, torch.cuda.Event)
    return float(start.elapsed_time(end)) / 1000


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_phases(
    call: Callable[[Mark], object], *, device: torch.device, repeats: int
) -> dict[str, list[float]]:
    """Seconds of each phase of a repeated call, after a warm-up.

    Args:
        call: Marks the end of each of its phases, the same ones every time.
        device: What does the work.
        repeats: How many calls count. The first is the warm-up, unless it is so long
            (``LONG_CALL``) that its warming up is lost in it.

    Returns:
        Seconds of each counted call by phase.

    Raises:
        ValueError: If ``repeats`` is not positive.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    watch = Stopwatch(device)
    call(watch.mark)
    first = watch.laps()
    counts = sum(map(sum, first.values())) > LONG_CALL
    watch = Stopwatch(device)
    for _ in range(repeats - counts):
        call(watch.mark)
    rest = watch.laps()
    if not counts:
        return rest
    return {name: seconds + rest.get(name, []) for name, seconds in first.items()}


def time_calls(
    call: Callable[[], object], *, device: torch.device, repeats: int
) -> tuple[float, ...]:
    """Seconds of a repeated call, after a warm-up (see ``time_phases``)."""

    def marked(mark: Mark) -> None:
        call()
        mark("call")

    return tuple(time_phases(marked, device=device, repeats=repeats)["call"])


def medians(phases: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each phase."""
    return {name: statistics.median(seconds) for name, seconds in phases.items()}


def reset_peak_memory(device: torch.device) -> int:
    """Forget the peak so far, where the system can.

    Returns:
        Bytes in use now (on systems that cannot forget: at the peak so far).
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif _CLEAR.exists():
        try:
            _CLEAR.write_text("5")
        except OSError:
            return peak_memory(device)
    return peak_memory(device)


def peak_memory(device: torch.device) -> int:
    """Most bytes in use at any time, of this process or of its tensors on a GPU.

    On Linux this is the peak that the kernel keeps for the program: ``ru_maxrss`` starts at that
    of the program that started this one.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * 1024
