"""Cost against channels, volume and batch, and the roofline, in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hipreg.benchmark.child import Measured
from hipreg.benchmark.roofline import Peaks, achieved, bound
from hipreg.evaluation.figures.canvas import COLOURS, FAINT, INK, TEXT, new_figure, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXES = {"channels": "channel multiplication", "size": "voxels of a volume", "batch": "batch"}
"""What is varied, and how it is printed."""

_STEP, _BOUND, _DIRECT = COLOURS[5], COLOURS[0], COLOURS[6]


def draw_costs(
    path: Path,
    sweep: Mapping[str, Sequence[Measured]],
    steps: Sequence[Measured],
    peaks: Peaks,
) -> None:
    """Draw the cost of steps.

    Args:
        path: The PNG file, written whole or not at all; its folder must exist.
        sweep: Fast steps in which one of ``AXES`` varies; may lack some or all of them.
        steps: Fast and direct steps, for the roofline.
        peaks: Of the machine.
    """
    figure = new_figure(7.2, 5.6)
    charts = figure.subplots(2, 2).ravel()
    for chart, axis in zip(charts, AXES, strict=False):
        _draw_axis(chart, axis, sweep.get(axis, ()), peaks)
    _draw_roofline(charts[3], [*steps, *(one for some in sweep.values() for one in some)], peaks)
    save_png(figure, path)


def _draw_axis(chart: Axes, axis: str, points: Sequence[Measured], peaks: Peaks) -> None:
    _style(chart, f"step against {AXES[axis]}", AXES[axis], "seconds a pair")
    if not points:
        chart.text(0.5, 0.5, "not measured", ha="center", color=FAINT, transform=chart.transAxes)
        return
    ordered = sorted(points, key=lambda point: _position(point, axis))
    x = [_position(point, axis) for point in ordered]
    pairs = [point.setting.batch for point in ordered]
    y = [point.median / count for point, count in zip(ordered, pairs, strict=True)]
    least = [
        bound(point.work, peaks, point.setting.precision) / count
        for point, count in zip(ordered, pairs, strict=True)
    ]
    chart.loglog(x, y, "o-", color=_STEP, ms=3.5, linewidth=1.2, label="measured")
    chart.loglog(x, least, "--", color=_BOUND, linewidth=1.2, label="at the machine's peaks")
    chart.set_xticks(x, [f"{value:g}" if axis != "size" else _cube(value) for value in x])
    chart.set_xticks([], minor=True)
    chart.legend(fontsize=TEXT - 2, frameon=False, labelcolor=INK)


def _draw_roofline(chart: Axes, points: Sequence[Measured], peaks: Peaks) -> None:
    _style(chart, "roofline", "FLOP a byte of operator traffic", "FLOP/s")
    found = [(point, achieved(point, peaks)) for point in points]
    seen = [rate.intensity for _, rate in found] or [1.0]
    left = min(*seen, peaks.flops["float32"] / peaks.bandwidth) / 4
    right = 4 * max(*seen, peaks.flops["bfloat16"] / peaks.bandwidth)
    for precision, style in (("float32", "-"), ("bfloat16", ":")):
        top = peaks.flops[precision]
        x = [left, top / peaks.bandwidth, right]
        y = [left * peaks.bandwidth, top, top]
        chart.loglog(x, y, style, color=INK, linewidth=1, label=f"peak, {precision}")
    shown = set()
    for point, rate in found:
        colour = _DIRECT if point.kind == "direct" else _STEP
        full = point.setting.precision == "float32"
        name = f"{point.kind} step, {point.setting.precision}"
        chart.plot(
            [rate.intensity],
            [rate.flops],
            "o" if full else "^",
            color=colour,
            ms=4,
            fillstyle="full" if full else "none",
            label="" if name in shown else name,
        )
        shown.add(name)
    chart.legend(fontsize=TEXT - 2, frameon=False, labelcolor=INK)


def _position(point: Measured, axis: str) -> float:
    setting = point.setting
    if axis == "size":
        d, h, w = setting.size
        return float(d * h * w)
    return float(setting.channels if axis == "channels" else setting.batch)


def _cube(voxels: float) -> str:
    return f"${voxels ** (1 / 3):.3g}^3$"


def _style(chart: Axes, title: str, x: str, y: str) -> None:
    chart.set_title(title, size=TEXT, color=INK, loc="left", pad=3)
    chart.set_xlabel(x, size=TEXT, color=INK)
    chart.set_ylabel(y, size=TEXT, color=INK)
    chart.tick_params(which="both", labelsize=TEXT - 1, width=0.5, length=2, labelcolor=INK)
    chart.grid(color="#E6E6E6", linewidth=0.5)
    chart.set_axisbelow(True)
    for side, spine in chart.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=FAINT, linewidth=0.5)
