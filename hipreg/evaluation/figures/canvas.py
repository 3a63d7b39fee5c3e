"""What all figures share: colours, a figure outside Matplotlib's global state, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hipreg.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#F0E442", "#0072B2", "#D55E00")
"""Told apart with any kind of colour vision (Okabe and Ito, 2008); first the two that also stand
out from grey."""

INK = "#262626"
FAINT = "#B0B0B0"

TEXT = 8.0
"""Size of ordinary text in points, at the figure's printed width of about 18 cm."""

DPI = 200


def new_figure(width: float, height: float) -> Figure:
    """An empty figure with a canvas of its own, safe to draw in any thread and without a screen.

    Args:
        width: Inches.
        height: Inches.

    Returns:
        The figure; its parts arrange themselves without overlap.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG; the file appears whole or not at all.

    Args:
        figure: The figure.
        path: Ends in ``.png``; its folder must exist, an existing file is replaced.

    Raises:
        ValueError: If the path names another kind of file.
    """
    if path.suffix.lower() != ".png":
        raise ValueError(f"figures are written as .png, got {path}")
    with replacing(path) as part:
        # Without the writer's name, equal figures are equal files.
        figure.savefig(part, format="png", dpi=DPI, metadata={"Software": None})


def save_figure(figure: Figure, path: Path, about: str = "") -> None:
    """Write a figure as PNG, PDF or SVG; equal figures are equal files.

    Args:
        figure: The figure.
        path: Its suffix says as what; its folder must exist, an existing file is replaced.
        about: What it was made from, kept inside the file.

    Raises:
        ValueError: If the path names another kind of file.
    """
    import matplotlib

    kind = path.suffix.lower().removeprefix(".")
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Software": None, "Description": about},
        "pdf": {"Creator": None, "Producer": None, "CreationDate": None, "Subject": about},
        "svg": {"Creator": None, "Date": None, "Description": about},
    }
    if kind not in metadata:
        raise ValueError(f"figures are written as .png, .pdf or .svg, got {path}")
    # Else the SVG's ids are drawn at random, and the PDF's letters cannot be edited or found.
    fixed: dict[Any, Any] = {"svg.hashsalt": "hipreg", "pdf.fonttype": 42}
    with matplotlib.rc_context(fixed), replacing(path) as part:
        figure.savefig(
            part,
            format=kind,
            dpi=DPI,
            metadata=metadata[kind],
            facecolor=figure.get_facecolor(),
        )
