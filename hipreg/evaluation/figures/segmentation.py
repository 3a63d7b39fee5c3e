"""Labels that were found, over the true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from hipreg.evaluation.figures.canvas import INK, TEXT, new_figure, save_png
from hipreg.evaluation.figures.panel import brightest, draw_legend, mean_dice, outline, show
from hipreg.evaluation.figures.view import PanelVolumes, View
from hipreg.evaluation.metrics import LabelVolume

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 7.2
_AXES = (0, 1, 2)


def segmentation_panel(
    path: Path,
    cases: Sequence[tuple[str, Float[np.ndarray, "D H W"], LabelVolume, LabelVolume]],
    *,
    label_names: Mapping[int, str] | None = None,
) -> None:
    """Draw each case in a row, cut across each axis: true labels filled, found ones outlined.

    Args:
        path: The PNG file, written whole or not at all; its folder must exist.
        cases: What to call each case, its image, its true labels and those that were found.
        label_names: What to call each label; by default "label 1", ...

    Raises:
        ValueError: If there is no case, or the path does not end in ``.png``.
    """
    if not cases:
        raise ValueError("a figure of segmentations needs at least one case, got none")
    rows = [[View.across(_volumes(*volumes), axis) for axis in _AXES] for _, *volumes in cases]
    # One scale for all: a voxel is as large in every picture, and the columns fill the page.
    widths = [max(row[k].extent[0] for row in rows) for k in range(len(_AXES))]
    heights = [max(view.extent[1] for view in row) for row in rows]
    tall = _WIDTH / sum(widths) * sum(heights)
    figure = new_figure(_WIDTH, tall + 0.25 * len(rows) + 0.3)
    grid = figure.add_gridspec(len(rows), len(_AXES), height_ratios=heights, width_ratios=widths)
    for i, (row, (name, *_)) in enumerate(zip(rows, cases, strict=True)):
        for k, view in enumerate(row):
            axes = figure.add_subplot(grid[i, k])
            _draw(axes, view, room=(widths[k], heights[i]))
            if k == 0:
                title = f"{name}, Dice {mean_dice(view, view.volumes.moving_label):.3f}"
                axes.set_title(title, size=TEXT, color=INK, loc="left", pad=3)
    draw_legend(figure, rows[0][0], label_names or {}, filled="true", lined="found")
    save_png(figure, path)


def _draw(axes: Axes, view: View, *, room: tuple[int, int]) -> None:
    plane = view.cut(view.volumes.fixed)
    show(axes, plane, "", cmap="gray", vmin=0.0, vmax=brightest([plane]))
    outline(axes, view, view.volumes.fixed_label, filled=True)
    outline(axes, view, view.volumes.moving_label)
    right, up = ((whole - part) / 2 for whole, part in zip(room, view.extent, strict=True))
    width, height = view.extent
    axes.set(xlim=(-0.5 - right, width - 0.5 + right), ylim=(-0.5 - up, height - 0.5 + up))


def _volumes(
    image: Float[np.ndarray, "D H W"], truth: LabelVolume, found: LabelVolume
) -> PanelVolumes:
    """One case as a pair of itself, whose moving label is the one that was found."""
    return PanelVolumes(image, image, truth, found, np.zeros((3, *image.shape), np.float32))
