"""One registered pair on one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from hipreg.evaluation.figures.canvas import COLOURS, FAINT, INK, TEXT, new_figure, save_png
from hipreg.evaluation.metrics import (
    DisplacementField,
    LabelVolume,
    check_displacement,
    dice,
    warp_label,
)
from hipreg.evaluation.smoothness import jacobian_determinant
from hipreg.evaluation.surface import bounding_box

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Plane = np.ndarray[Any, Any]
"""One slice (A, B) of a volume; A runs to the right and B upwards in the picture."""

_WIDTH = 7.2
"""Inches; two columns of a journal."""

_GRID_STEP = 2
"""Voxels between the lines of the deformation grid."""


@dataclass(frozen=True)
class PanelVolumes:
    """The arrays of one registered pair, all on one grid.

    Attributes:
        fixed: (D, H, W) intensities; exactly 0 where the scan covers nothing.
        moving: (D, H, W), in the same unit.
        fixed_label: (D, H, W) hard labels.
        moving_label: (D, H, W) hard labels.
        displacement: (3, D, H, W) in voxels, on the fixed grid, pull-back.
    """

    fixed: Float[np.ndarray, "D H W"]
    moving: Float[np.ndarray, "D H W"]
    fixed_label: LabelVolume
    moving_label: LabelVolume
    displacement: DisplacementField

    def __post_init__(self) -> None:
        check_displacement(self.displacement, self.fixed.shape)
        for name in ("moving", "fixed_label", "moving_label"):
            shape = getattr(self, name).shape
            if shape != self.fixed.shape:
                raise ValueError(
                    f"{name} has the shape {shape}, the fixed image {self.fixed.shape}"
                )
        if min(self.fixed.shape) < 3:
            raise ValueError(f"a panel needs at least 3 voxels an axis, got {self.fixed.shape}")

    @cached_property
    def warped(self) -> Float[np.ndarray, "D H W"]:
        """(D, H, W) the moving image on the fixed grid, linearly interpolated."""
        grid = np.indices(self.fixed.shape)
        warped: Float[np.ndarray, "D H W"] = ndimage.map_coordinates(
            self.moving.astype(np.float64), grid + self.displacement, order=1
        )
        return warped

    @cached_property
    def warped_label(self) -> LabelVolume:
        """(D, H, W) the moving labels on the fixed grid."""
        return warp_label(self.moving_label, self.displacement)


def registration_panel(
    path: Path,
    volumes: PanelVolumes,
    *,
    title: str = "",
    label_names: Mapping[int, str] | None = None,
    axis: int | None = None,
) -> None:
    """Draw a pair before and after registration, and the deformation between.

    Above: moving, fixed and warped image, and the outlines of the fixed and the warped labels.
    Below: the differences from the fixed image before and after, the positions at which the
    fixed grid samples the moving image, and the log-Jacobian (its folds black). All show the one
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
    view = _View.across(volumes, axis)
    figure = new_figure(_WIDTH, _height(view))
    axes = figure.subplots(2, 4)
    _draw_images(axes[0], view)
    before, after, grid, jacobian = axes[1]
    difference = _draw_differences(before, after, view)
    _draw_grid(grid, view)
    log_jacobian = _draw_log_jacobian(jacobian, view)
    _draw_colour_bar(figure, difference, [before, after], "intensity difference from fixed")
    _draw_colour_bar(figure, log_jacobian, [jacobian], "log J (above 0: stretched)")
    _draw_legend(figure, view, label_names or {})
    if title:
        figure.suptitle(title, size=TEXT + 2, color=INK, x=0.005, ha="left")
    save_png(figure, path)


@dataclass(frozen=True)
class _View:
    """The slice to show: which, and the part of it that the scans cover."""

    volumes: PanelVolumes
    axis: int
    index: int
    window: tuple[slice, slice]

    @staticmethod
    def across(volumes: PanelVolumes, axis: int | None) -> _View:
        labelled = volumes.fixed_label != 0
        best: tuple[int, int, int] | None = None
        for candidate in (0, 1, 2) if axis is None else (axis,):
            others = tuple(a for a in (0, 1, 2) if a != candidate)
            areas = np.count_nonzero(labelled, axis=others)
            middle = areas.size // 2
            index = int(areas.argmax()) if areas.any() else middle
            if best is None or areas[index] > best[0]:
                best = (int(areas[index]), candidate, index)
        assert best is not None
        box = bounding_box((volumes.fixed != 0) | (volumes.moving != 0))
        box = box or (slice(None), slice(None), slice(None))
        first, second = (part for a, part in enumerate(box) if a != best[1])
        return _View(volumes, best[1], best[2], (first, second))

    @property
    def in_plane(self) -> tuple[int, int]:
        """The axes that run to the right and upwards."""
        first, second = (a for a in (0, 1, 2) if a != self.axis)
        return first, second

    def cut(self, volume: np.ndarray[Any, Any]) -> Plane:
        """The shown part of a volume's slice."""
        return np.take(volume, self.index, axis=self.axis)[self.window]

    @property
    def extent(self) -> tuple[int, int]:
        """Voxels to the right and upwards."""
        width, height = self.cut(self.volumes.fixed).shape
        return width, height

    @property
    def labels(self) -> list[int]:
        """Every label of the fixed case."""
        return [int(label) for label in np.unique(self.volumes.fixed_label) if label != 0]


def _height(view: _View) -> float:
    """Inches that two rows of pictures, their titles, colour bars and legend need."""
    width, height = view.extent
    return 2 * (_WIDTH / 4 - 0.1) * height / width + 1.45


def _show(axes: Axes, plane: Plane, title: str, **style: Any) -> AxesImage:
    """Show a slice, without ticks and with a thin frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color=FAINT, linewidth=0.5)
    axes.set_facecolor("#D9D9D9")
    axes.set_title(title, size=TEXT, color=INK, pad=3)
    return axes.imshow(plane.T, origin="lower", interpolation="nearest", **style)


def _outline(axes: Axes, view: _View, label_map: LabelVolume, dashed: bool = False) -> None:
    """Draw the outline of each label in its colour."""
    for k, label in enumerate(view.labels):
        # A rim of background closes the outlines that reach the edge of the picture.
        mask: Bool[np.ndarray, "A B"] = np.pad(view.cut(label_map) == label, 1)
        if mask.any():
            along, up = (np.arange(-1, n + 1) for n in view.extent)
            axes.contour(
                along,
                up,
                mask.T.astype(np.float64),
                levels=[0.5],
                colors=["white" if dashed else COLOURS[k % len(COLOURS)]],
                linewidths=1.0 if dashed else 1.4,
                linestyles=["--" if dashed else "-"],
            )


def _draw_images(axes: np.ndarray[Any, Any], view: _View) -> None:
    volumes = view.volumes
    planes = [view.cut(v) for v in (volumes.moving, volumes.fixed, volumes.warped)]
    grey = {"cmap": "gray", "vmin": 0.0, "vmax": _brightest(planes)}
    scores = _mean_dice(view, volumes.moving_label), _mean_dice(view, volumes.warped_label)
    _show(axes[0], planes[0], "Moving", **grey)
    _outline(axes[0], view, volumes.moving_label)
    _show(axes[1], planes[1], "Fixed", **grey)
    _outline(axes[1], view, volumes.fixed_label)
    _show(axes[2], planes[2], "Warped", **grey)
    _outline(axes[2], view, volumes.warped_label)
    _show(axes[3], planes[1], f"Labels, Dice {scores[0]:.2f} \u2192 {scores[1]:.2f}", **grey)
    _outline(axes[3], view, volumes.fixed_label)
    _outline(axes[3], view, volumes.warped_label, dashed=True)


def _brightest(planes: list[Plane]) -> float:
    """A white that a few bright vessels do not set."""
    return float(max(np.percentile(plane, 99.8) for plane in planes)) or 1.0


def _mean_dice(view: _View, label_map: LabelVolume) -> float:
    """Mean over the fixed case's labels, in the whole volume."""
    fixed = view.volumes.fixed_label
    scores = [dice(fixed == label, label_map == label) for label in view.labels]
    return float(np.mean(scores)) if scores else float("nan")


def _draw_differences(before: Axes, after: Axes, view: _View) -> AxesImage:
    fixed = view.cut(view.volumes.fixed)
    images = [view.cut(v) for v in (view.volumes.moving, view.volumes.warped)]
    # Where one of the two scans covers nothing there is nothing to compare.
    planes = [np.where((image != 0) & (fixed != 0), image - fixed, np.nan) for image in images]
    known = np.abs(planes[0][np.isfinite(planes[0])])
    limit = (float(np.percentile(known, 99.5)) if known.size else 0.0) or 1.0
    style = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    _show(before, planes[0], "Moving \u2212 fixed", **style)
    return _show(after, planes[1], "Warped \u2212 fixed", **style)


def _draw_grid(axes: Axes, view: _View) -> None:
    """Lines of the fixed grid, drawn where they sample the moving image."""
    moving = view.cut(view.volumes.moving)
    _show(axes, moving, "Deformation grid", cmap="gray", vmin=0.0, vmax=_brightest([moving]) * 1.6)
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


def _draw_log_jacobian(axes: Axes, view: _View) -> AxesImage:
    # The outermost voxels have one neighbour only, so they are repeated from the next ones.
    determinant = np.pad(jacobian_determinant(view.volumes.displacement, border=1), 1, mode="edge")
    plane = view.cut(determinant)
    folded = plane <= 0
    values = np.log(np.where(folded, 1.0, plane))
    limit = max(float(np.percentile(np.abs(values), 99.5)), 0.1)
    share = np.count_nonzero(determinant <= 0) / determinant.size
    title = f"Log-Jacobian, {100 * share:.2f} % folded"
    image = _show(axes, values, title, cmap="PuOr_r", vmin=-limit, vmax=limit)
    if folded.any():
        black = np.zeros((*folded.T.shape, 4))
        black[..., 3] = folded.T
        axes.imshow(black, origin="lower", interpolation="nearest")
    return image


def _draw_colour_bar(figure: Figure, image: AxesImage, below: list[Axes], name: str) -> None:
    bar = figure.colorbar(
        image, ax=below, location="bottom", fraction=0.05, aspect=18 * len(below), pad=0.02
    )
    bar.ax.tick_params(labelsize=TEXT - 1, width=0.5, length=2, color=INK, labelcolor=INK)
    bar.set_label(name, size=TEXT - 1, color=INK, labelpad=1)
    bar.ax.spines[:].set_linewidth(0.5)


def _draw_legend(figure: Figure, view: _View, names: Mapping[int, str]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=COLOURS[k % len(COLOURS)], label=names.get(label, f"label {label}"))
        for k, label in enumerate(view.labels)
    ]
    handles.append(
        Line2D([], [], color=FAINT, linestyle="--", label="warped (right-hand picture)")
    )
    figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=min(len(handles), 6),
        fontsize=TEXT,
        frameon=False,
        labelcolor=INK,
    )
