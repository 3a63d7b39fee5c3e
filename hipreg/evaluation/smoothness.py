"""How evenly a displacement deforms space: its Jacobian determinant and what is read from it.

As in the challenge's evaluator (Hering et al., arXiv 2112.04489): central differences, and two
voxels at each border left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float

from hipreg.evaluation.metrics import DisplacementField, check_displacement

Convention = Literal["l2r", "2020"]
"""Which evaluator's shift and limits the log-Jacobian has: today's, or that of the 2020 script."""

BORDER = 2
"""Voxels left out at each side by the challenge's evaluator."""

_SHIFT_AND_LIMITS: dict[Convention, tuple[float, float, float]] = {
    "l2r": (3.0, 1e-9, 1e9),
    "2020": (15.0, 0.0, 1e9),
}

_SLAB = 8
"""Planes worked on at a time: the nine derivatives of that many stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Smoothness:
    """What the Jacobian determinant of one displacement says.

    Attributes:
        sdlogj: Standard deviation of the log-Jacobian as in today's evaluator.
        sdlogj_2020: The same as in the script of 2020, about a quarter of it.
        folding: Share of voxels, 0 to 1, at which the determinant is not positive.
    """

    sdlogj: float
    sdlogj_2020: float
    folding: float


def jacobian_determinant(
    displacement: DisplacementField, *, border: int = BORDER
) -> Float[np.ndarray, "d h w"]:
    """Local change of volume of ``x -> x + displacement(x)``.

    Derivatives are central differences; beyond the grid the displacement counts as 0, which only
    the outermost voxels see.

    Args:
        displacement: (3, D, H, W) in voxels.
        border: Voxels to leave out at each side.

    Returns:
        (D - 2 border, H - 2 border, W - 2 border) in float64; 1 where nothing is deformed.

    Raises:
        ValueError: If the displacement is not (3, D, H, W) and finite, or nothing is left of it.
    """
    check_displacement(displacement, displacement.shape[1:])
    if border < 0 or min(displacement.shape[1:]) <= 2 * border:
        raise ValueError(
            f"leaving out {border} voxels at each side needs a border of at least 0 and more than "
            f"{2 * border} voxels along each axis, got {displacement.shape[1:]}"
        )
    if border == 0:
        displacement, border = np.pad(displacement, ((0, 0), (1, 1), (1, 1), (1, 1))), 1
    # What is left, with the one neighbour that the differences reach to.
    rim = slice(border - 1, 1 - border or None)
    field = displacement[:, rim, rim, rim]
    depth, height, width = (n - 2 for n in field.shape[1:])
    determinant = np.empty((depth, height, width))
    starts = [*range(0, depth, _SLAB), depth]
    for start, stop in pairwise(starts):
        _determinant(field[:, start : stop + 2].astype(np.float64), determinant[start:stop])
    return determinant


def _determinant(
    field: Float[np.ndarray, "3 d h w"], out: Float[np.ndarray, "d-2 h-2 w-2"]
) -> None:
    """Write the determinant of identity + gradient of a field's interior."""
    inner = slice(1, -1)
    along_d = (field[:, 2:, inner, inner] - field[:, :-2, inner, inner]) * 0.5
    along_h = (field[:, inner, 2:, inner] - field[:, inner, :-2, inner]) * 0.5
    along_w = (field[:, inner, inner, 2:] - field[:, inner, inner, :-2]) * 0.5
    along_d[0] += 1
    along_h[1] += 1
    along_w[2] += 1
    (dd, hd, wd), (dh, hh, wh), (dw, hw, ww) = along_d, along_h, along_w
    np.multiply(dd, hh * ww - hw * wh, out=out)
    out -= dh * (hd * ww - hw * wd)
    out += dw * (hd * wh - hh * wd)


def sdlogj(displacement: DisplacementField, convention: Convention = "l2r") -> float:
    """Standard deviation of the logarithm of the shifted Jacobian determinant.

    Args:
        displacement: (3, D, H, W) in voxels.
        convention: "l2r": log(clip(J + 3, 1e-9, 1e9)); "2020": log(clip(J + 15, 0, 1e9)).

    Returns:
        The standard deviation over all voxels but two at each border. Under "2020" it is nan
        where a determinant is -15 or less, as there.

    Raises:
        ValueError: If the displacement is not (3, D, H, W) and finite, has fewer than 5 voxels
            along an axis, or the convention is unknown.
    """
    return spread_of_log(jacobian_determinant(displacement), convention)


def spread_of_log(
    determinant: Float[np.ndarray, "d h w"], convention: Convention = "l2r"
) -> float:
    """:func:`sdlogj` of a Jacobian determinant that is already there.

    Args:
        determinant: (d, h, w), without the border.
        convention: See :func:`sdlogj`.

    Returns:
        The standard deviation over all voxels.

    Raises:
        ValueError: If the convention is unknown.
    """
    if convention not in _SHIFT_AND_LIMITS:
        known = ", ".join(_SHIFT_AND_LIMITS)
        raise ValueError(f"the conventions of the log-Jacobian are {known}, got {convention!r}")
    shift, low, high = _SHIFT_AND_LIMITS[convention]
    shifted = determinant + shift
    np.clip(shifted, low, high, out=shifted)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.log(shifted, out=shifted).std())


def folding_share(displacement: DisplacementField) -> float:
    """Share of voxels at which the displacement turns space inside out (J <= 0).

    Args:
        displacement: (3, D, H, W) in voxels.

    Returns:
        0 to 1, over all voxels but two at each border.

    Raises:
        ValueError: If the displacement is not (3, D, H, W) and finite, or has fewer than 5 voxels
            along an axis.
    """
    return _share_of_folds(jacobian_determinant(displacement))


def _share_of_folds(determinant: Float[np.ndarray, "d h w"]) -> float:
    return np.count_nonzero(determinant <= 0) / determinant.size


def smoothness(displacement: DisplacementField) -> Smoothness:
    """Every measure of smoothness, from one pass over the Jacobian determinant.

    Args:
        displacement: (3, D, H, W) in voxels.

    Returns:
        The log-Jacobian's spread under both conventions and the share of folds.

    Raises:
        ValueError: If the displacement is not (3, D, H, W) and finite, or has fewer than 5 voxels
            along an axis.
    """
    determinant = jacobian_determinant(displacement)
    return Smoothness(
        sdlogj=spread_of_log(determinant, "l2r"),
        sdlogj_2020=spread_of_log(determinant, "2020"),
        folding=_share_of_folds(determinant),
    )
