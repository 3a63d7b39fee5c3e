"""Compiled CPU kernels for what PyTorch has none for; everything runs without them too.

The C sources beside this file are compiled by the system's C compiler at the first use and kept in
the user's cache. Where there is no compiler, the callers fall back to PyTorch operations, which
give the same values more slowly. ``HIPREG_NATIVE=0`` asks for that.
"""

from hipreg.native.kernels import (
    exponential,
    exponential_slope,
    instance_norm,
    instance_norm_slope,
    integrate,
    integrate_adjoint,
    lcc,
    read_displaced,
    read_displaced_slope,
    resample,
    resample_affine,
    resample_slope,
    usable,
)

__all__ = [
    "exponential",
    "exponential_slope",
    "instance_norm",
    "instance_norm_slope",
    "integrate",
    "integrate_adjoint",
    "lcc",
    "read_displaced",
    "read_displaced_slope",
    "resample",
    "resample_affine",
    "resample_slope",
    "usable",
]
