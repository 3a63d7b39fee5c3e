"""Synthetic pairs: deterministic, endless, and registered exactly by their true displacement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from hipreg.data import (
    describe,
    splits_for,
    synthetic_case,
    synthetic_cohort,
    synthetic_pair,
    tight_size,
)

SIZE = (16, 16, 16)


def dice(first: np.ndarray, second: np.ndarray) -> float:
    values = []
    for label in np.unique(second)[1:]:
        a, b = first == label, second == label
        values.append(2 * (a & b).sum() / (a.sum() + b.sum()))
    return float(np.mean(values))


@pytest.mark.parametrize("number", [2, 5, 8])
def test_fixed_equals_moving_sampled_at_the_true_displacement(number: int) -> None:
    fixed, moving = synthetic_case(3, 1, size=SIZE), synthetic_case(3, number, size=SIZE)
    grid = np.indices(SIZE, dtype=np.float64).reshape(3, -1)
    at = grid + fixed.displacement_to(moving).reshape(3, -1)
    np.testing.assert_allclose(moving.intensity(at), fixed.intensity(grid), atol=1e-5)
    assert (moving.label(at) == fixed.label(grid)).mean() > 0.999


def test_true_displacement_registers_the_scanned_pair() -> None:
    pair = synthetic_pair(0, 1, size=(48, 48, 48))
    at = np.indices((48, 48, 48)) + pair.displacement
    warped_label = map_coordinates(pair.moving_label, at, order=0)
    assert dice(warped_label, pair.fixed_label) > 0.9
    assert dice(pair.moving_label, pair.fixed_label) < 0.7
    warped = map_coordinates(pair.moving, at, order=1)
    both = (warped > 0.05) & (pair.fixed > 0.05)
    before = (pair.moving > 0.05) & (pair.fixed > 0.05)
    after = np.corrcoef(warped[both], pair.fixed[both])[0, 1]
    assert after > 0.7
    assert after > np.corrcoef(pair.moving[before], pair.fixed[before])[0, 1] + 0.2


def test_displacement_there_and_back_is_the_identity() -> None:
    a, b = synthetic_case(1, 1, size=SIZE), synthetic_case(1, 2, size=SIZE)
    there, back = a.displacement_to(b), b.displacement_to(a)
    at = np.indices(SIZE) + there
    composed = there + np.stack([map_coordinates(c, at, order=3, mode="nearest") for c in back])
    inner = (slice(None), *(slice(4, -4),) * 3)
    assert np.abs(composed[inner]).max() < 0.02


def test_displacement_of_a_case_to_itself_is_zero() -> None:
    case = synthetic_case(1, 4, size=SIZE)
    np.testing.assert_allclose(case.displacement_to(case), 0, atol=1e-6)


@pytest.mark.parametrize("number", range(1, 13))
def test_true_displacement_never_folds(number: int) -> None:
    displacement = synthetic_case(0, number, size=SIZE).displacement_to(
        synthetic_case(0, number + 1, size=SIZE)
    )
    gradients = [np.gradient(component) for component in displacement]
    jacobian = np.moveaxis(np.array(gradients), (0, 1), (-2, -1)) + np.eye(3)
    assert np.linalg.det(jacobian).min() > 0


def test_inverse_deformation_undoes_the_deformation() -> None:
    deformation = synthetic_case(2, 7, size=SIZE).deformation
    points = np.random.default_rng(0).uniform(-30, 30, size=(3, 50))
    np.testing.assert_allclose(deformation.inverse(deformation(points)), points, atol=1e-7)


def test_same_seed_same_pair_and_other_seed_another() -> None:
    first, again = synthetic_pair(5, 0, size=SIZE), synthetic_pair(5, 0, size=SIZE)
    for name in ("moving", "fixed", "moving_label", "fixed_label", "displacement"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.moving, synthetic_pair(6, 0, size=SIZE).moving)
    assert not np.array_equal(first.moving, synthetic_pair(5, 10_000, size=SIZE).moving)


def test_case_is_the_same_however_many_are_drawn() -> None:
    description = replace(describe("synthetic"), size=SIZE)
    few = synthetic_cohort(description, n=2, seed=0)
    many = synthetic_cohort(description, n=5, seed=0)
    np.testing.assert_array_equal(few.images, many.images[:2])
    np.testing.assert_array_equal(few.labels, many.labels[:2])
    assert few.fingerprint != many.fingerprint


def test_pair_is_two_cases_of_the_cohort() -> None:
    cohort = synthetic_cohort(replace(describe("synthetic"), size=SIZE), n=2, seed=0)
    pair = synthetic_pair(0, 0, size=SIZE)
    np.testing.assert_array_equal(pair.moving, cohort.images[cohort.index(1)])
    np.testing.assert_array_equal(pair.fixed, cohort.images[cohort.index(2)])


def test_cohort_suits_its_splits_and_description() -> None:
    description = describe("synthetic")
    source = description.synthetic
    assert source is not None
    small = replace(description, size=SIZE)
    cohort = synthetic_cohort(small, n=source.train + source.val, seed=source.seed)
    splits = splits_for(description)
    assert cohort.cases == (*splits.train, *splits.val)
    assert all(cohort.labelled)
    assert max(tight_size(cohort)) <= 16


@pytest.mark.parametrize("number", range(1, 7))
def test_scan_is_a_crop_that_holds_the_labels(number: int) -> None:
    image, label = synthetic_case(0, number, size=(32, 32, 32)).scan()
    assert image.shape == label.shape == (32, 32, 32)
    where = np.argwhere(image > 0)
    low, high = where.min(axis=0), where.max(axis=0)
    box = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
    assert (image[box] > 0).all()
    assert np.count_nonzero(image) == image[box].size
    assert image.max() <= 1
    assert (image == 0).mean() > 0.3
    labelled = np.argwhere(label > 0)
    assert (labelled.min(axis=0) > low).all()
    assert (labelled.max(axis=0) < high).all()
    assert set(np.unique(label)) == {0, 1, 2}


@pytest.mark.parametrize("n_labels", [1, 3, 5])
def test_any_number_of_labels(n_labels: int) -> None:
    pair = synthetic_pair(0, 0, size=(20, 28, 24), n_labels=n_labels)
    assert pair.fixed.shape == (20, 28, 24)
    assert set(np.unique(pair.fixed_label)) == set(range(n_labels + 1))


def test_label_1_is_anterior() -> None:
    label = synthetic_case(0, 1, size=(32, 32, 32)).scan()[1]
    assert np.argwhere(label == 1)[:, 1].mean() > np.argwhere(label == 2)[:, 1].mean()


def test_impossible_requests_are_errors() -> None:
    with pytest.raises(ValueError, match="got -1"):
        synthetic_pair(-1, 0)
    with pytest.raises(ValueError, match="at least 4"):
        synthetic_case(0, 0, size=(2, 16, 16))
    with pytest.raises(ValueError, match="1 to 255, got 0"):
        synthetic_case(0, 0, n_labels=0)
    with pytest.raises(ValueError, match="n = 0"):
        synthetic_cohort(describe("synthetic"), n=0, seed=0)
    with pytest.raises(ValueError, match="one population"):
        synthetic_case(0, 0, size=SIZE).displacement_to(synthetic_case(1, 0, size=SIZE))
