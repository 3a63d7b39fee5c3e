"""Direct, slow forms of the metrics, written from their definitions and nothing else."""

from __future__ import annotations

from itertools import permutations, product
from math import inf, sqrt

import numpy as np
from scipy import ndimage

CORNERS = list(product((0, 1), repeat=3))


def random_displacement(seed: int, size: tuple[int, int, int], strength: float) -> np.ndarray:
    """Smooth in float32; strong ones fold and leave the grid."""
    rng = np.random.default_rng(seed)
    noise = [ndimage.gaussian_filter(rng.standard_normal(size), 1.5) for _ in range(3)]
    return (strength * np.stack(noise) / np.std(noise)).astype(np.float32)


def blob(seed: int, size: tuple[int, int, int], threshold: float = 0.0) -> np.ndarray:
    """A ragged random mask that usually touches the border."""
    rng = np.random.default_rng(seed)
    return ndimage.gaussian_filter(rng.standard_normal(size), 1.2) > threshold


def warp_label(moving_label: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    positions = np.indices(moving_label.shape) + displacement
    return ndimage.map_coordinates(moving_label, positions, order=0)


def dice(fixed: np.ndarray, warped: np.ndarray) -> float:
    a = {tuple(x) for x in np.argwhere(fixed)}
    b = {tuple(x) for x in np.argwhere(warped)}
    return 2 * len(a & b) / (len(a) + len(b))


def triangles_area(*triangles: tuple[tuple[float, float, float], ...]) -> float:
    return sum(
        float(np.linalg.norm(np.cross(np.subtract(b, a), np.subtract(c, a)))) / 2
        for a, b, c in triangles
    )


def area_classes() -> dict[tuple[tuple[int, int, int], ...], float]:
    """Inside corners of each of the 14 marching-cubes cases, and the case's area as a number."""
    s = sqrt(3) / 8
    a, b, c, d = (0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)
    e, f, g, h = (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)
    return {
        (): 0.0,
        (a,): s,
        (a, b): sqrt(0.5),
        (a, d): 2 * s,
        (a, h): 2 * s,
        (a, b, c): 1.149519,
        (a, b, g): 0.923613,
        (a, d, f): 3 * s,
        (a, b, c, d): 1.0,
        (a, b, c, e): 1.299038,
        (a, b, d, h): 1.573132,
        (a, b, c, h): 1.366025,
        (a, b, g, h): sqrt(2),
        (a, d, f, g): 0.866025,
    }


def area_table() -> dict[frozenset[tuple[int, int, int]], float]:
    """The area for each set of inside corners, from the 14 cases by the cube's symmetries."""
    table = {}
    for corners, area in area_classes().items():
        for axes in permutations(range(3)):
            for flip in CORNERS:
                moved = frozenset(
                    tuple(corner[axes[k]] ^ flip[k] for k in range(3)) for corner in corners
                )
                table[moved] = area
                table[frozenset(CORNERS) - moved] = area
    return table


def surface(mask: np.ndarray) -> list[tuple[tuple[int, int, int], float]]:
    """Position and area of each surface element, cube by cube."""
    table = area_table()
    inside = {tuple(int(v) for v in x) for x in np.argwhere(mask)}
    elements = []
    for cube in product(*(range(n + 1) for n in mask.shape)):
        corners = frozenset(
            k for k in CORNERS if tuple(cube[a] + k[a] - 1 for a in range(3)) in inside
        )
        if 0 < len(corners) < 8:
            elements.append((cube, table[corners]))
    return elements


def hd95(fixed: np.ndarray, warped: np.ndarray, share: float = 0.95) -> float:
    surfaces = surface(fixed), surface(warped)
    if not all(surfaces):
        return inf
    worst = 0.0
    for ours, theirs in (surfaces, surfaces[::-1]):
        others = np.array([position for position, _ in theirs])
        elements = sorted(
            (float(np.sqrt(((others - position) ** 2).sum(axis=1).min())), area)
            for position, area in ours
        )
        total, covered = sum(area for _, area in elements), 0.0
        for distance, area in elements:
            covered += area
            if covered >= share * total - 1e-9:
                worst = max(worst, distance)
                break
    return worst


def jacobian_determinant(displacement: np.ndarray) -> np.ndarray:
    """By the evaluator's recipe: correlation with [-0.5, 0, 0.5], zeros beyond the border."""
    field = displacement.astype(np.float64)
    kernel = [-0.5, 0.0, 0.5]
    matrix = np.zeros((*field.shape[1:], 3, 3))
    for i, j in product(range(3), repeat=2):
        matrix[..., i, j] = ndimage.correlate1d(field[i], kernel, axis=j, mode="constant") + (
            i == j
        )
    return np.linalg.det(matrix)


def sdlogj(displacement: np.ndarray, shift: float, low: float, high: float) -> float:
    inner = jacobian_determinant(displacement)[2:-2, 2:-2, 2:-2]
    return float(np.std(np.log(np.clip(inner + shift, low, high))))
