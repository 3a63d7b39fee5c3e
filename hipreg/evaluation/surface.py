"""Distances between the surfaces of two masks, each surface element weighted by its area.

The definition is the one of the challenge's evaluator (Nikolov et al., arXiv 1809.04430; the
package ``surface-distance``): a surface element is a cube of 2 x 2 x 2 voxel centres that lies
neither wholly inside nor wholly outside the mask, and its area is that of the marching-cubes
surface through it. All distances are in voxels of an isotropic grid.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from math import inf, sqrt

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.spatial import cKDTree

_CORNERS = tuple(product((0, 1), repeat=3))
"""Corner k of a cube; bit k of a neighbour code says whether it lies inside the mask."""

_TRIANGLE = sqrt(3) / 8
"""The triangle that cuts one corner off a unit cube through the middles of its three edges."""

_AREA_OF_CLUSTER = {
    # (corners, edges between them, most edges at one corner): area of the surface around them.
    (1, 0, 0): _TRIANGLE,
    (2, 1, 1): sqrt(2) / 2,  # an edge: a rectangle of 1 by half a face diagonal
    (3, 2, 2): 1 / 2 + 3 * _TRIANGLE,  # an L: half a square and a trapezium
    (4, 4, 2): 1.0,  # a face
    (4, 3, 3): 6 * _TRIANGLE,  # a corner and its neighbours: a regular hexagon
    (4, 3, 2): sqrt(2) / 2 + 4 * _TRIANGLE,  # a chain that leaves its plane: a skew hexagon
}


@cache
def surface_areas() -> Float[np.ndarray, " 256"]:
    """Area of the surface inside a unit cube, for each of the 256 neighbour codes.

    The table has the symmetries of the cube and of exchanging inside and outside. So it follows
    from the fewer-sided part (the inside or the outside corners): each cluster of corners joined
    by edges of the cube is cut off by a surface of its own, and only six clusters exist.

    Returns:
        (256,) areas in voxel faces, read-only. Bit ``4 d + 2 h + w`` of a code stands for the
        corner (d, h, w).
    """
    areas = np.zeros(256)
    for code in range(256):
        inside = [k for k in range(8) if code >> k & 1]
        outside = [k for k in range(8) if not code >> k & 1]
        areas[code] = sum(
            _AREA_OF_CLUSTER[key] for key in _clusters(min(inside, outside, key=len))
        )
    areas.setflags(write=False)
    return areas


def _clusters(corners: list[int]) -> list[tuple[int, int, int]]:
    """The key into the area table of each edge-connected cluster of a cube's corners."""
    neighbours = {k: [j for j in corners if (j ^ k).bit_count() == 1] for k in corners}
    keys = []
    left = set(corners)
    while left:
        cluster, frontier = set[int](), {min(left)}
        while frontier:
            cluster |= frontier
            frontier = {j for k in frontier for j in neighbours[k]} - cluster
        left -= cluster
        degrees = [len(neighbours[k]) for k in cluster]
        keys.append((len(cluster), sum(degrees) // 2, max(degrees)))
    return keys


def neighbour_codes(mask: Bool[np.ndarray, "D H W"]) -> UInt8[np.ndarray, "D+1 H+1 W+1"]:
    """Which corners of each 2 x 2 x 2 cube of voxel centres lie inside the mask, as 8 bits.

    Args:
        mask: (D, H, W); beyond its border everything is outside.

    Returns:
        (D+1, H+1, W+1); the entry (d, h, w) describes the cube from voxel (d-1, h-1, w-1) to
        voxel (d, h, w).
    """
    padded = np.pad(mask.view(np.uint8), 1)
    depth, height, width = (n + 1 for n in mask.shape)
    codes = np.zeros((depth, height, width), dtype=np.uint8)
    for k, (d, h, w) in enumerate(_CORNERS):
        codes |= padded[d : d + depth, h : h + height, w : w + width] << np.uint8(k)
    return codes


def surface_elements(
    mask: Bool[np.ndarray, "D H W"],
) -> tuple[Int[np.ndarray, "N 3"], Float[np.ndarray, " N"]]:
    """Where the surface of a mask runs and how much of it.

    Args:
        mask: (D, H, W); beyond its border everything is outside.

    Returns:
        (N, 3) positions of the surface elements in voxels (each is the upper corner of its cube)
        and (N,) their areas in voxel faces. N is 0 for an empty mask.
    """
    box = bounding_box(mask)
    if box is None:
        return np.zeros((0, 3), dtype=np.intp), np.zeros(0)
    codes = neighbour_codes(np.ascontiguousarray(mask[box])).ravel()
    at = np.flatnonzero((codes != 0) & (codes != 255))
    shape = tuple(s.stop - s.start + 1 for s in box)
    positions = np.stack(np.unravel_index(at, shape), axis=1)
    return positions + [s.start for s in box], surface_areas()[codes[at]]


def hd95(
    fixed: Bool[np.ndarray, "D H W"], warped: Bool[np.ndarray, "D H W"], *, percent: float = 95.0
) -> float:
    """The robust Hausdorff distance: the larger of both directions' distance percentiles.

    The percentile of one direction is the smallest distance that at least ``percent`` of the
    surface's area keeps from the other surface.

    Args:
        fixed: (D, H, W).
        warped: (D, H, W), on the same grid.
        percent: Share of the area, in percent.

    Returns:
        Voxels; inf when either mask is empty.

    Raises:
        ValueError: If the masks differ in shape or are no boolean volumes, or the share lies
            outside 0 to 100.
    """
    for name, mask in (("fixed", fixed), ("warped", warped)):
        if mask.ndim != 3 or mask.dtype != np.bool_ or mask.shape != fixed.shape:
            raise ValueError(
                f"hd95 needs two boolean volumes (D, H, W) of one shape, got {name} of "
                f"{mask.dtype} {mask.shape} against {fixed.shape}"
            )
    if not 0 <= percent <= 100:
        raise ValueError(f"the percentile lies between 0 and 100, got {percent}")
    fixed_at, fixed_areas = surface_elements(fixed)
    warped_at, warped_areas = surface_elements(warped)
    if not (fixed_areas.size and warped_areas.size):
        return inf
    there = _percentile(_nearest(fixed_at, warped_at), fixed_areas, percent)
    back = _percentile(_nearest(warped_at, fixed_at), warped_areas, percent)
    return max(there, back)


def _nearest(
    points: Int[np.ndarray, "N 3"], others: Int[np.ndarray, "M 3"]
) -> Float[np.ndarray, " N"]:
    """(N,) distance in voxels from each point to the nearest of the others."""
    # A tree and not a distance map: its cost does not grow with the empty space of large scans.
    # The points are on a grid, where the cheap tree is as good as the balanced one.
    tree = cKDTree(others, balanced_tree=False, compact_nodes=False)
    distances: Float[np.ndarray, " N"] = tree.query(points)[0]
    return distances


def _percentile(
    distances: Float[np.ndarray, " N"], areas: Float[np.ndarray, " N"], percent: float
) -> float:
    # Ties are ordered by area so that rounding in the running sum is that of the evaluator.
    order = np.lexsort((areas, distances))
    shares = np.cumsum(areas[order]) / np.sum(areas)
    at = int(np.searchsorted(shares, percent / 100))
    return float(distances[order[min(at, order.size - 1)]])


def bounding_box(mask: Bool[np.ndarray, "D H W"]) -> tuple[slice, slice, slice] | None:
    """The smallest box that holds every voxel of a mask.

    Args:
        mask: (D, H, W).

    Returns:
        A slice along D, H and W; None for an empty mask.
    """
    plane = np.any(mask, axis=0)
    profiles: tuple[Bool[np.ndarray, " N"], ...] = (
        np.any(mask, axis=(1, 2)),
        np.any(plane, axis=1),
        np.any(plane, axis=0),
    )
    if not profiles[0].any():
        return None
    starts = [int(profile.argmax()) for profile in profiles]
    stops = [profile.size - int(profile[::-1].argmax()) for profile in profiles]
    d, h, w = (slice(start, stop) for start, stop in zip(starts, stops, strict=True))
    return d, h, w
