"""Cohorts: finding, selecting and cropping cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hipreg.data import Cohort, Placement, describe, tight_size

SIZE = (10, 12, 14)


def cohort(boxes: list[tuple[slice, slice, slice]]) -> Cohort:
    """One case per box of scanned voxels; case numbers 10, 20, ..."""
    images = np.zeros((len(boxes), *SIZE), np.float32)
    for number, box in enumerate(boxes, start=1):
        images[(number - 1, *box)] = number / 10
    return Cohort(
        description=replace(describe("synthetic"), size=SIZE),
        cases=tuple(10 * number for number in range(1, len(boxes) + 1)),
        images=images,
        labels=(images > 0).astype(np.uint8),
        labelled=(True,) * len(boxes),
        placements=(Placement.identity(SIZE),) * len(boxes),
        fingerprint="",
    )


WHOLE = (slice(None),) * 3
MIDDLE = (slice(4, 6), slice(4, 8), slice(5, 9))


def test_index_finds_the_row_of_a_case() -> None:
    assert cohort([WHOLE, MIDDLE]).index(20) == 1


def test_unknown_cases_are_all_named() -> None:
    with pytest.raises(ValueError, match=r"has no case 7, 8; it has 2 cases, numbered 10 to 20"):
        cohort([WHOLE, MIDDLE]).select([10, 7, 8])
    with pytest.raises(ValueError, match="has no case 7"):
        cohort([WHOLE]).index(7)


def test_select_keeps_order_and_copies() -> None:
    whole = cohort([WHOLE, MIDDLE])
    chosen = whole.select([20, 10])
    assert chosen.cases == (20, 10)
    assert len(chosen) == 2
    np.testing.assert_array_equal(chosen.images[1], whole.images[0])
    chosen.images[:] = 7
    assert whole.images.max() < 1


def test_crop_to_the_grid_changes_nothing() -> None:
    whole = cohort([MIDDLE])
    same = whole.crop(SIZE)
    assert same.size == SIZE
    np.testing.assert_array_equal(same.images, whole.images)
    assert same.placements == whole.placements


def test_crop_keeps_the_centre() -> None:
    whole = cohort([MIDDLE])
    small = whole.crop((4, 5, 6))
    np.testing.assert_array_equal(small.images, whole.images[:, 3:7, 3:8, 4:10])
    assert small.placements[0].shift == (-3.0, -3.0, -4.0)


@pytest.mark.parametrize("size", [(11, 12, 14), (10, 12, 0)])
def test_impossible_crop_is_an_error(size: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="cannot crop a grid of"):
        cohort([WHOLE]).crop(size)


@pytest.mark.parametrize("multiple", [1, 2, 4, 16])
@pytest.mark.parametrize(
    "box", [MIDDLE, WHOLE, (slice(0, 1), slice(3, 4), slice(12, 13)), (slice(4, 9),) * 3]
)
def test_tight_crop_keeps_every_voxel(multiple: int, box: tuple[slice, slice, slice]) -> None:
    whole = cohort([box, MIDDLE])
    size = tight_size(whole, multiple)
    for got, have in zip(size, SIZE, strict=True):
        assert got == have or got % multiple == 0
    small = whole.crop(size)
    assert np.count_nonzero(small.images) == np.count_nonzero(whole.images)
    assert small.images.sum() == pytest.approx(whole.images.sum())


def test_tight_size_by_hand() -> None:
    assert tight_size(cohort([MIDDLE]), 1) == (2, 4, 4)
    assert tight_size(cohort([MIDDLE]), 4) == (4, 4, 4)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        tight_size(cohort([MIDDLE]), 0)


def test_cohort_of_unequal_parts_is_an_error() -> None:
    whole = cohort([MIDDLE])
    with pytest.raises(ValueError, match="as many images"):
        replace(whole, labelled=())
