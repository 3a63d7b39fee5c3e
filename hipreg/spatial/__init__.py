"""Grids, resampling and integration: geometry without learning."""

from hipreg.spatial.grid import identity_grid
from hipreg.spatial.integrate import IDENTITY_GRADIENT, GradientIntegration, integrate_gradients
from hipreg.spatial.warp import sample, sample_affine, warp

__all__ = [
    "IDENTITY_GRADIENT",
    "GradientIntegration",
    "identity_grid",
    "integrate_gradients",
    "sample",
    "sample_affine",
    "warp",
]
