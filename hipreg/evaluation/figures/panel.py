"""One registered pair on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hipreg.evaluation.figures.canvas import COLOURS, FAINT, INK, TEXT, new_figure, save_png
from hipreg.evaluation.figures.view import PanelVolumes, Plane, View
from hipreg.evaluation.metrics import LabelVolume, dice
from hipreg.evaluation.smoothness import folding_share, jacobian_determinant

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_WIDTH = 7.2
"""Inches; two columns of a journal."""

_FOLDED = (0.0, 0.62, 0.45, 1.0)
"""A green: red, green, blue and opacity."""

_GRID_STEP = 2
"""Voxels between the lines of the deformation grid."""


def registration_panel(
    path: Path,
    volumes: PanelVolumes,
    *,
    title: str = "",
    label_names: Mapping[int, str] | None = None,
    axis: int | None = None,
) -> None:
    """Draw a pair before and after registration, and the deformation between.

    Above: moving, fixed and warped image, and the fixed labels under the outlines of the warped.
    Below: the differences from the fixed image before and after, the positions at which the
    fixed grid samples the moving image, and the log-Jacobian (its folds green). All show the one
    slice that cuts most of the fixed labels; what the deformation does across it is not seen.

    Args:
        path: The PNG file, written whole or not at all; its folder must exist.
        volumes: The pair.
        title: Printed above everything.
        label_names: What to call each label; by default "label 1", ...
        axis: The axis that the slice is perpendicular to; by default the one with the largest cut.

    Raises:
        ValueError: If ``axis`` is not 0, 1 or 2, or the path does not end in ``.png``.
    """
    if axis not in (None, 0, 1, 2):
        raise ValueError(f"the slice's axis is 0, 1 or 2, got {axis}")
    view = View.across(volumes, axis)
    figure = new_figure(_WIDTH, _height(view) + (0.25 if title else 0))
    # A row of its own for the colour bars keeps the pictures of a row at one height.
    grid = figure.add_gridspec(3, 4, height_ratios=(1, 1, 0.03))
    pictures = [[figure.add_subplot(grid[row, k]) for k in range(4)] for row in (0, 1)]
    _draw_images(pictures[0], view)
    difference = _draw_differences(pictures[1][:2], view)
    draw_grid(pictures[1][2], view)
    log_jacobian = draw_log_jacobian(pictures[1][3], view, log_jacobian_limit(view))
    draw_colour_bar(figure.add_subplot(grid[2, :2]), difference, "intensity difference")
    draw_colour_bar(figure.add_subplot(grid[2, 3]), log_jacobian, "log J (0: volume is kept)")
    draw_legend(figure, view, label_names or {})
    if title:
        figure.suptitle(title, size=TEXT + 2, color=INK, x=0.005, ha="left")
    save_png(figure, path)


def _height(view: View) -> float:
    """Inches that two rows of pictures, their titles, colour bars and legend need."""
    width, height = view.extent
    return 2 * (_WIDTH / 4 - 0.1) * height / width + 1.2


def show(axes: Axes, plane: Plane, title: str, **style: Any) -> AxesImage:
    """Show a slice, without ticks and with a thin frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color=FAINT, linewidth=0.5)
    axes.set_facecolor("#D9D9D9")
    axes.set_title(title, size=TEXT, color=INK, pad=3)
    return axes.imshow(plane.T, origin="lower", interpolation="nearest", **style)


def outline(axes: Axes, view: View, label_map: LabelVolume, *, filled: bool = False) -> None:
    """Draw each label in its colour: its outline, or its area under a veil of the colour."""
    width, height = view.extent
    # A rim of background closes the outlines that reach the edge of the picture.
    right, up = np.arange(-1, width + 1), np.arange(-1, height + 1)
    for k, label in enumerate(view.labels):
        mask = np.pad((view.cut(label_map) == label).astype(np.float64), 1)
        if not mask.any():
            continue
        colour = COLOURS[k % len(COLOURS)]
        if filled:
            axes.contourf(right, up, mask.T, levels=[0.5, 1.5], colors=[colour], alpha=0.45)
        else:
            axes.contour(right, up, mask.T, levels=[0.5], colors=[colour], linewidths=1.3)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(-0.5, height - 0.5))


def _draw_images(axes: Sequence[Axes], view: View) -> None:
    volumes = view.volumes
    planes = [view.cut(v) for v in (volumes.moving, volumes.fixed, volumes.warped)]
    grey = {"cmap": "gray", "vmin": 0.0, "vmax": brightest(planes)}
    scores = mean_dice(view, volumes.moving_label), mean_dice(view, volumes.warped_label)
    show(axes[0], planes[0], "Moving", **grey)
    outline(axes[0], view, volumes.moving_label)
    show(axes[1], planes[1], "Fixed", **grey)
    outline(axes[1], view, volumes.fixed_label)
    show(axes[2], planes[2], "Warped", **grey)
    outline(axes[2], view, volumes.warped_label)
    title = f"Labels, Dice {scores[0]:.2f} \u2192 {scores[1]:.2f}" if view.labels else "No labels"
    show(axes[3], planes[1], title, **grey)
    outline(axes[3], view, volumes.fixed_label, filled=True)
    outline(axes[3], view, volumes.warped_label)


def brightest(planes: list[Plane]) -> float:
    """A white that a few bright vessels do not set."""
    return float(max(np.percentile(plane, 99.8) for plane in planes)) or 1.0


def mean_dice(view: View, label_map: LabelVolume) -> float:
    """Mean over the fixed case's labels, in the whole volume."""
    fixed = view.volumes.fixed_label
    scores = [dice(fixed == label, label_map == label) for label in view.labels]
    return float(np.mean(scores)) if scores else float("nan")


def _draw_differences(axes: Sequence[Axes], view: View) -> AxesImage:
    fixed = view.cut(view.volumes.fixed)
    images = [view.cut(v) for v in (view.volumes.moving, view.volumes.warped)]
    # Where one of the two scans covers nothing there is nothing to compare.
    planes = [np.where((image != 0) & (fixed != 0), image - fixed, np.nan) for image in images]
    known = np.abs(planes[0][np.isfinite(planes[0])])
    limit = (float(np.percentile(known, 99.5)) if known.size else 0.0) or 1.0
    style = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    show(axes[0], planes[0], "Moving \u2212 fixed", **style)
    return show(axes[1], planes[1], "Warped \u2212 fixed", **style)


def draw_grid(axes: Axes, view: View) -> None:
    """Lines of the fixed grid, drawn where they sample the moving image."""
    moving = view.cut(view.volumes.moving)
    show(axes, moving, "Deformation grid", cmap="gray", vmin=0.0, vmax=brightest([moving]) * 1.6)
    width, height = view.extent
    base = np.indices((width, height))
    right, up = (
        base[k] + view.cut(view.volumes.displacement[a]) for k, a in enumerate(view.in_plane)
    )
    line = {"color": COLOURS[1], "linewidth": 0.6}
    for a in range(0, width, _GRID_STEP):
        axes.plot(right[a], up[a], **line)  # type: ignore[arg-type]
    for b in range(0, height, _GRID_STEP):
        axes.plot(right[:, b], up[:, b], **line)  # type: ignore[arg-type]
    axes.set(xlim=(-0.5, width - 0.5), ylim=(-0.5, height - 0.5))


def log_jacobian_limit(view: View) -> float:
    """The largest |log J| that the colours tell apart."""
    values = np.log(np.where(_determinant(view) <= 0, 1.0, _determinant(view)))
    return float(np.clip(np.percentile(np.abs(values), 99.5), 0.1, 2.0))


def _determinant(view: View) -> Plane:
    # The outermost voxels have one neighbour only, so they are repeated from the next ones.
    determinant = np.pad(jacobian_determinant(view.volumes.displacement, border=1), 1, mode="edge")
    return view.cut(determinant)


def draw_log_jacobian(
    axes: Axes, view: View, limit: float, name: str = "Log-Jacobian"
) -> AxesImage:
    """Show log J within ``limit``, its folds in a colour of their own."""
    plane = _determinant(view)
    folded = plane <= 0
    values = np.log(np.where(folded, 1.0, plane))
    title = f"{name}, {100 * folding_share(view.volumes.displacement):.2f} % folded"
    image = show(axes, values, title, cmap="PuOr_r", vmin=-limit, vmax=limit)
    # A colour outside the scale of purples and oranges, where there is no logarithm.
    veil = np.where(folded.T[..., None], _FOLDED, (0.0, 0.0, 0.0, 0.0))
    axes.imshow(veil, origin="lower", interpolation="nearest")
    return image


def draw_colour_bar(axes: Axes, image: AxesImage, name: str) -> None:
    """Explain an image's colours in a thin picture of its own."""
    bar = axes.figure.colorbar(image, cax=axes, orientation="horizontal")
    axes.tick_params(labelsize=TEXT - 1, width=0.5, length=2, color=INK, labelcolor=INK)
    bar.set_label(name, size=TEXT - 1, color=INK, labelpad=1)
    for spine in axes.spines.values():
        spine.set_linewidth(0.5)


def draw_legend(
    figure: Figure,
    view: View,
    names: Mapping[int, str],
    *,
    filled: str = "fixed, in Labels",
    lined: str = "warped, in Labels",
) -> None:
    """Name the labels' colours below a figure, and what is drawn filled and what as lines."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = [
        Line2D([], [], color=COLOURS[k % len(COLOURS)], label=names.get(label, f"label {label}"))
        for k, label in enumerate(view.labels)
    ]
    if not handles:
        return
    handles.append(Patch(color=FAINT, alpha=0.6, linewidth=0, label=filled))
    handles.append(Line2D([], [], color=FAINT, label=lined))
    figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=min(len(handles), 6),
        fontsize=TEXT,
        frameon=False,
        labelcolor=INK,
    )
