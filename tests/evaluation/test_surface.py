from __future__ import annotations

import warnings
from itertools import product
from math import inf, sqrt

import numpy as np
import pytest

from hipreg.evaluation import hd95
from hipreg.evaluation.surface import bounding_box, surface_areas, surface_elements
from tests.evaluation import reference

SIZE = (8, 9, 7)


def test_areas_are_those_of_the_14_cases_and_the_cubes_symmetries() -> None:
    table = reference.area_table()
    assert len(table) == 256
    for code in range(256):
        corners = frozenset(k for i, k in enumerate(reference.CORNERS) if code >> i & 1)
        assert surface_areas()[code] == pytest.approx(table[corners], abs=1e-6)


def test_area_of_planar_cuts_is_that_of_their_triangles() -> None:
    def code(*corners: tuple[int, int, int]) -> int:
        return sum(1 << reference.CORNERS.index(corner) for corner in corners)

    corner = reference.triangles_area(((0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)))
    assert surface_areas()[code((0, 0, 0))] == pytest.approx(corner)
    low, high = ((0.5, 0, 0), (0, 0.5, 0)), ((0.5, 0, 1), (0, 0.5, 1))
    edge = reference.triangles_area((*low, high[0]), (low[1], *high))
    assert surface_areas()[code((0, 0, 0), (0, 0, 1))] == pytest.approx(edge)
    # The hexagon on d + h + w = 1.5 through the middles of six edges.
    ring = [(1, 0, 0.5), (1, 0.5, 0), (0.5, 1, 0), (0, 1, 0.5), (0, 0.5, 1), (0.5, 0, 1)]
    hexagon = reference.triangles_area(*((ring[0], ring[k], ring[k + 1]) for k in range(1, 5)))
    around = code((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    assert surface_areas()[around] == pytest.approx(hexagon)


def test_surface_elements_are_found_cube_by_cube() -> None:
    for seed in range(3):
        mask = reference.blob(seed, SIZE)
        expected = reference.surface(mask)
        positions, areas = surface_elements(mask)
        assert [tuple(p) for p in positions.tolist()] == [position for position, _ in expected]
        np.testing.assert_allclose(areas, [area for _, area in expected], atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_hd95_is_that_of_the_direct_form(seed: int) -> None:
    fixed = reference.blob(seed, SIZE, threshold=0.05 * seed)
    warped = reference.blob(seed + 40, SIZE)
    assert hd95(fixed, warped) == pytest.approx(reference.hd95(fixed, warped), abs=1e-6)
    for share in (0.0, 0.5, 1.0):
        assert hd95(fixed, warped, percent=100 * share) == pytest.approx(
            reference.hd95(fixed, warped, share), abs=1e-6
        )


def test_hd95_is_symmetric_and_zero_for_equal_masks() -> None:
    a, b = reference.blob(1, SIZE), reference.blob(2, SIZE)
    assert hd95(a, b) == hd95(b, a)
    assert hd95(a, a) == 0


def test_hd95_of_single_voxels_is_their_distance() -> None:
    for at in product((0, 3, 5), repeat=3):  # among them the corners of the grid
        a, b = np.zeros((6, 6, 6), dtype=bool), np.zeros((6, 6, 6), dtype=bool)
        a[0, 0, 0] = b[at] = True
        # The surface around a voxel is a cube of side 1; its far corners are nearer by up to one.
        assert hd95(a, b) == pytest.approx(reference.hd95(a, b), abs=1e-6)
    a[:], b[:] = False, False
    a[1, 1, 1] = b[4, 1, 1] = True
    assert hd95(a, b) == 3


def test_hd95_with_an_empty_mask_is_inf() -> None:
    mask, empty = reference.blob(1, SIZE), np.zeros(SIZE, dtype=bool)
    assert hd95(mask, empty) == hd95(empty, mask) == hd95(empty, empty) == inf


def test_hd95_of_masks_that_touch_every_border() -> None:
    full = np.ones(SIZE, dtype=bool)
    shrunk = np.zeros(SIZE, dtype=bool)
    shrunk[1:-1, 1:-1, 1:-1] = True
    assert hd95(full, shrunk) == pytest.approx(reference.hd95(full, shrunk), abs=1e-6)
    assert hd95(full, shrunk, percent=100) == pytest.approx(sqrt(3))


def test_hd95_does_not_depend_on_where_the_masks_lie() -> None:
    a, b = reference.blob(5, SIZE), reference.blob(6, SIZE)
    assert hd95(np.pad(a, 5), np.pad(b, 5)) == hd95(a, b)
    assert hd95(a.transpose(2, 0, 1), b.transpose(2, 0, 1)) == hd95(a, b)


def test_hd95_is_that_of_the_surface_distance_package() -> None:
    with warnings.catch_warnings():
        # Version 0.1 calls names that SciPy has deprecated; that is its affair.
        warnings.simplefilter("ignore", DeprecationWarning)
        package = pytest.importorskip("surface_distance")
        for seed in range(30):
            a, b = reference.blob(seed, (14, 15, 16), 0.1), reference.blob(seed + 99, (14, 15, 16))
            distances = package.compute_surface_distances(a, b, (1, 1, 1))
            assert hd95(a, b) == pytest.approx(
                package.compute_robust_hausdorff(distances, 95), abs=1e-6
            )


def test_hd95_names_what_it_cannot_take() -> None:
    mask = np.zeros(SIZE, dtype=bool)
    with pytest.raises(ValueError, match="warped of bool"):
        hd95(mask, mask[1:])
    with pytest.raises(ValueError, match="uint8"):
        hd95(mask.astype(np.uint8), mask)
    with pytest.raises(ValueError, match="got 101"):
        hd95(mask, mask, percent=101)


def test_bounding_box_holds_every_voxel_and_no_more() -> None:
    mask = np.zeros(SIZE, dtype=bool)
    assert bounding_box(mask) is None
    mask[2, 8, 0] = mask[5, 3, 4] = True
    assert bounding_box(mask) == (slice(2, 6), slice(3, 9), slice(0, 5))
