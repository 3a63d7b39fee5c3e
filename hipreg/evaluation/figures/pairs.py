"""Several registered pairs below each other, from the worst to the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from hipreg.evaluation.figures.canvas import INK, TEXT, new_figure
from hipreg.evaluation.figures.panel import (
    brightest,
    draw_colour_bar,
    draw_grid,
    draw_legend,
    draw_log_jacobian,
    log_jacobian_limit,
    mean_dice,
    outline,
    show,
)
from hipreg.evaluation.figures.view import PanelVolumes, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 7.2
_COLUMNS = 5


def pair_rows(
    pairs: Sequence[tuple[str, PanelVolumes]], *, label_names: Mapping[int, str] | None = None
) -> Figure:
    """Draw each pair in a row: moving, fixed, warped, deformation grid, log-Jacobian.

    The labels are outlined in their colours; those of the fixed image lie filled under the
    outlines of the warped ones. All log-Jacobians share one scale.

    Args:
        pairs: what to call each pair, and its volumes.
        label_names: What to call each label; by default "label 1", ...

    Returns:
        The figure, to be written with :func:`hipreg.evaluation.figures.canvas.save_figure`.

    Raises:
        ValueError: If there is no pair.
    """
    if not pairs:
        raise ValueError("a figure of pairs needs at least one pair, got none")
    views = [View.across(volumes, None) for _, volumes in pairs]
    heights = [_WIDTH / _COLUMNS * view.extent[1] / view.extent[0] for view in views]
    figure = new_figure(_WIDTH, sum(heights) + 0.25 * len(pairs) + 0.75)
    grid = figure.add_gridspec(len(pairs) + 1, _COLUMNS, height_ratios=[*heights, 0.05])
    limit = max(map(log_jacobian_limit, views))
    for i, ((name, _), view) in enumerate(zip(pairs, views, strict=True)):
        axes = [figure.add_subplot(grid[i, k]) for k in range(_COLUMNS)]
        _draw_images(axes, view)
        draw_grid(axes[3], view)
        image = draw_log_jacobian(axes[4], view, limit, "Log J")
        axes[0].set_ylabel(name, size=TEXT, color=INK)
    bar = figure.add_subplot(grid[-1, -1])
    draw_colour_bar(bar, image, "log J (0: volume is kept)")
    bar.locator_params(axis="x", nbins=3)
    draw_legend(
        figure,
        views[0],
        label_names or {},
        filled="fixed, in Warped",
        lined="warped, in Warped",
    )
    return figure


def _draw_images(axes: Sequence[Axes], view: View) -> None:
    volumes = view.volumes
    planes = [view.cut(volume) for volume in (volumes.moving, volumes.fixed, volumes.warped)]
    before, after = (mean_dice(view, v) for v in (volumes.moving_label, volumes.warped_label))
    white = brightest(planes)
    titles = (f"Moving, Dice {before:.2f}", "Fixed", f"Warped, Dice {after:.2f}")
    for each, plane, title in zip(axes, planes, titles, strict=False):
        show(each, plane, title, cmap="gray", vmin=0.0, vmax=white)
    outline(axes[0], view, volumes.moving_label)
    outline(axes[1], view, volumes.fixed_label)
    outline(axes[2], view, volumes.fixed_label, filled=True)
    outline(axes[2], view, volumes.warped_label)
