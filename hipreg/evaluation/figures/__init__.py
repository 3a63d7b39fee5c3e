"""Pictures of registered pairs and of training; Matplotlib is imported when one is drawn."""

from __future__ import annotations

from hipreg.evaluation.figures.canvas import save_figure
from hipreg.evaluation.figures.curves import learning_curves
from hipreg.evaluation.figures.pairs import pair_rows
from hipreg.evaluation.figures.panel import registration_panel
from hipreg.evaluation.figures.segmentation import segmentation_panel
from hipreg.evaluation.figures.view import PanelVolumes

__all__ = [
    "PanelVolumes",
    "learning_curves",
    "pair_rows",
    "registration_panel",
    "save_figure",
    "segmentation_panel",
]
