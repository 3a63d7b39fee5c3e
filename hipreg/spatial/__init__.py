"""Grids, resampling and integration: geometry without learning."""

from hipreg.spatial.grid import identity_grid
from hipreg.spatial.integrate import IDENTITY_GRADIENT, GradientIntegration, integrate_gradients
from hipreg.spatial.inverse import compose, invert, mean_of_directions
from hipreg.spatial.jacobian import jacobian_determinant
from hipreg.spatial.velocity import VelocityIntegration, exponential, upsample
from hipreg.spatial.warp import sample, sample_affine, warp, warp_held

__all__ = [
    "IDENTITY_GRADIENT",
    "GradientIntegration",
    "VelocityIntegration",
    "compose",
    "exponential",
    "identity_grid",
    "integrate_gradients",
    "invert",
    "jacobian_determinant",
    "mean_of_directions",
    "sample",
    "sample_affine",
    "upsample",
    "warp",
    "warp_held",
]
