"""How the numbers of a training run went."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import ceil, isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING

from hipreg.evaluation.figures.canvas import FAINT, INK, TEXT, new_figure, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Series = Sequence[tuple[float, float]]
"""(step, value) in the order of the steps."""

_SPLITS = {"train": ":", "val": "-", "selection": "--", "fold": "-."}
"""Line style of each split; a name may begin with one of them."""

_COLUMNS = 3
_LINE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", INK)


def learning_curves(
    path: Path, series: Mapping[str, Series], *, title: str = "", step_name: str = "epoch"
) -> None:
    """Draw one chart per quantity: "val/dice", "val/dice/label_1" and "train/dice" share one.

    A name is the split (train, val, selection, fold; optional), the quantity, and what of it, with
    "/" between. "30", "_30" and "_2020" behind a quantity stay in its chart. Values that are nan
    or inf leave a gap.

    Args:
        path: The PNG file, written whole or not at all; its folder must exist.
        series: The values of each name by step.
        title: Printed above everything.
        step_name: What a step is; printed below.

    Raises:
        ValueError: If there is no series, or the path does not end in ``.png``.
    """
    charts = group_by_quantity(series)
    if not charts:
        raise ValueError("learning curves need at least one series, got none")
    columns = min(_COLUMNS, len(charts))
    rows = ceil(len(charts) / columns)
    figure = new_figure(max(2.4 * columns, 3.6), 1.9 * rows + (0.3 if title else 0.05))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for chart, (quantity, names) in zip(axes, charts.items(), strict=False):
        _draw_chart(chart, quantity, {name: series[name] for name in names})
    for chart in axes[len(charts) :]:
        chart.set_axis_off()
    # The lowest chart of each column names the steps.
    for chart in axes[: len(charts)][-columns:]:
        chart.set_xlabel(step_name, size=TEXT, color=INK)
    if title:
        figure.suptitle(title, size=TEXT + 2, color=INK, x=0.005, ha="left")
    save_png(figure, path)


def group_by_quantity(names: Mapping[str, object]) -> dict[str, list[str]]:
    """Which series share a chart.

    Args:
        names: Names of series, as in :func:`learning_curves`.

    Returns:
        The names of each quantity, both in order of appearance.
    """
    charts: dict[str, list[str]] = {}
    for name in names:
        quantity = _without_split(name).split("/")[0]
        charts.setdefault(re.sub(r"(_30|_2020|(?<=[a-z])30)$", "", quantity), []).append(name)
    return charts


def _without_split(name: str) -> str:
    split, _, rest = name.partition("/")
    return rest if rest and split in _SPLITS else name


def _draw_chart(chart: Axes, quantity: str, series: Mapping[str, Series]) -> None:
    kinds = list(dict.fromkeys(_without_split(name) for name in series))
    for name, points in series.items():
        kind = _without_split(name)
        colour = _LINE_COLOURS[kinds.index(kind) % len(_LINE_COLOURS)]
        split = name.partition("/")[0]
        steps = [step for step, _ in points]
        values = [value if isfinite(value) else nan for _, value in points]
        # A single point has no line to be seen by.
        marker = "o" if len(points) == 1 else ""
        style = _SPLITS.get(split, "-")
        chart.plot(
            steps, values, style, color=colour, linewidth=1.2, marker=marker, ms=3, label=name
        )
    chart.set_title(quantity.replace("_", " "), size=TEXT, color=INK, loc="left", pad=3)
    chart.tick_params(labelsize=TEXT - 1, width=0.5, length=2, color=FAINT, labelcolor=INK)
    chart.grid(color="#E6E6E6", linewidth=0.5)
    chart.set_axisbelow(True)
    chart.yaxis.get_offset_text().set_fontsize(TEXT - 1)
    chart.margins(x=0.02)
    for side, spine in chart.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=FAINT, linewidth=0.5)
    if len(series) > 1 or next(iter(series)) != quantity:
        chart.legend(fontsize=TEXT - 2, frameon=False, labelcolor=INK, handlelength=1.6)
