"""Pictures of registered pairs and of training; Matplotlib is imported when one is drawn."""

from __future__ import annotations

from hipreg.evaluation.figures.curves import learning_curves
from hipreg.evaluation.figures.panel import registration_panel
from hipreg.evaluation.figures.view import PanelVolumes

__all__ = ["PanelVolumes", "learning_curves", "registration_panel"]
