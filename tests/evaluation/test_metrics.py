from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from hipreg.evaluation import dice, warp_label
from tests.evaluation import reference


def label_map(seed: int, size: tuple[int, int, int] = (9, 12, 7)) -> np.ndarray:
    inside = reference.blob(seed, size)
    return (inside * (1 + (np.indices(size)[1] > size[1] // 2))).astype(np.uint8)


@pytest.mark.parametrize("strength", [0.0, 0.4, 3.0, 20.0])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_warp_is_map_coordinates_of_order_0(strength: float, dtype: type) -> None:
    for seed in range(5):
        label = label_map(seed)
        displacement = reference.random_displacement(seed + 50, label.shape, strength).astype(
            dtype
        )
        expected = reference.warp_label(label, displacement)
        warped = warp_label(label, displacement)
        assert warped.dtype == label.dtype
        np.testing.assert_array_equal(warped, expected)


def test_warp_rounds_halves_as_map_coordinates_does() -> None:
    rng = np.random.default_rng(0)
    label = label_map(3)
    displacement = rng.integers(-12, 13, (3, *label.shape)) / 4
    np.testing.assert_array_equal(
        warp_label(label, displacement), reference.warp_label(label, displacement)
    )


def test_positions_a_hair_beyond_the_grid_are_background_as_in_map_coordinates() -> None:
    label = np.ones((5, 5, 5), dtype=np.uint8)
    for hair in (-0.3, -1e-7, 0.0, 1e-7, 0.3):
        displacement = np.full((3, 5, 5, 5), hair)
        np.testing.assert_array_equal(
            warp_label(label, displacement), reference.warp_label(label, displacement)
        )


def test_identity_displacement_returns_moving_label() -> None:
    label = label_map(1)
    np.testing.assert_array_equal(warp_label(label, np.zeros((3, *label.shape))), label)


def test_warp_pulls_back() -> None:
    label = np.zeros((6, 6, 6), dtype=np.uint8)
    label[4, 2, 3] = 7
    displacement = np.zeros((3, 6, 6, 6), dtype=np.float32)
    displacement[0] = 2  # warped(x) = moving(x + 2): the voxel comes from above
    warped = warp_label(label, displacement)
    assert np.argwhere(warped).tolist() == [[2, 2, 3]]
    assert warped[2, 2, 3] == 7


def test_warp_of_an_empty_label_and_of_a_strided_one() -> None:
    displacement = reference.random_displacement(0, (7, 8, 9), 2.0)
    assert not warp_label(np.zeros((7, 8, 9), dtype=np.uint8), displacement).any()
    strided = label_map(2, (9, 8, 7)).transpose(2, 1, 0)
    np.testing.assert_array_equal(
        warp_label(strided, displacement), reference.warp_label(strided, displacement)
    )


def test_warp_names_shapes_types_and_values_that_do_not_fit() -> None:
    label = np.zeros((4, 5, 6), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"\(4, 5, 6\) and \(3, 4, 5, 7\)"):
        warp_label(label, np.zeros((3, 4, 5, 7)))
    with pytest.raises(ValueError, match="floating-point, got int64"):
        warp_label(label, np.zeros((3, 4, 5, 6), dtype=np.int64))
    broken = np.zeros((3, 4, 5, 6), dtype=np.float32)
    broken[0, 0, 0, 0], broken[1, 1, 1, 1] = np.nan, -np.inf
    with pytest.raises(ValueError, match="got 2 values that are nan or inf"):
        warp_label(label, broken)


def test_huge_but_finite_displacement_is_background() -> None:
    label = np.ones((4, 4, 4), dtype=np.uint8)
    huge = np.full((3, 4, 4, 4), np.finfo(np.float64).max)
    assert not warp_label(label, huge).any()


def test_dice_is_that_of_sets() -> None:
    for seed in range(5):
        a, b = reference.blob(seed, (8, 9, 7)), reference.blob(seed + 9, (8, 9, 7), 0.1)
        assert dice(a, b) == pytest.approx(reference.dice(a, b), abs=1e-12)
        assert dice(a, b) == dice(b, a)


def test_dice_of_equal_disjoint_and_empty_masks() -> None:
    a, empty = np.zeros((3, 3, 3), dtype=bool), np.zeros((3, 3, 3), dtype=bool)
    a[1, 1, 1] = True
    assert dice(a, a) == 1
    assert dice(a, ~a) == 0
    assert dice(a, empty) == 0
    assert isnan(dice(empty, empty))


def test_dice_refuses_other_shapes_and_types() -> None:
    mask = np.zeros((3, 3, 3), dtype=bool)
    with pytest.raises(ValueError, match=r"bool \(3, 3, 3\) and bool \(3, 3, 4\)"):
        dice(mask, np.zeros((3, 3, 4), dtype=bool))
    with pytest.raises(ValueError, match="uint8"):
        dice(mask, mask.astype(np.uint8))
