from __future__ import annotations

from math import isnan

import numpy as np
import pytest

from hipreg.evaluation import folding_share, jacobian_determinant, sdlogj, smoothness
from tests.evaluation import reference

SIZE = (9, 11, 12)


def linear(matrix: np.ndarray, size: tuple[int, int, int] = SIZE) -> np.ndarray:
    """The displacement of x -> (1 + matrix) x."""
    return np.einsum("ij,jdhw->idhw", matrix, np.indices(size).astype(np.float64))


@pytest.mark.parametrize("strength", [0.0, 0.5, 3.0, 30.0])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_smoothness_is_that_of_the_direct_form_with_and_without_folds(
    strength: float, dtype: type
) -> None:
    displacement = reference.random_displacement(3, SIZE, strength).astype(dtype)
    full = reference.jacobian_determinant(displacement)
    inner = full[2:-2, 2:-2, 2:-2]
    scale = np.abs(full).max()
    assert (strength < 3) != bool((inner <= 0).any())
    np.testing.assert_allclose(jacobian_determinant(displacement), inner, atol=1e-12 * scale)
    np.testing.assert_allclose(
        jacobian_determinant(displacement, border=0), full, atol=1e-12 * scale
    )
    measured = smoothness(displacement)
    today = reference.sdlogj(displacement, 3, 1e-9, 1e9)
    assert measured.sdlogj == pytest.approx(today, abs=1e-6)
    assert sdlogj(displacement) == sdlogj(displacement, "l2r") == measured.sdlogj
    with np.errstate(divide="ignore", invalid="ignore"):
        then = reference.sdlogj(displacement, 15, 0, 1e9)
    assert measured.sdlogj_2020 == pytest.approx(then, abs=1e-6, nan_ok=True)
    assert sdlogj(displacement, "2020") == pytest.approx(then, abs=1e-6, nan_ok=True)
    assert measured.folding == folding_share(displacement)
    assert measured.folding == pytest.approx(float((inner <= 0).mean()), abs=1e-6)


def test_identity_and_translation_do_not_deform() -> None:
    for displacement in (np.zeros((3, *SIZE)), np.full((3, *SIZE), 4.25)):
        np.testing.assert_array_equal(jacobian_determinant(displacement), 1)
        measured = smoothness(displacement)
        assert measured.sdlogj == pytest.approx(0, abs=1e-12)
        assert measured.sdlogj_2020 == pytest.approx(0, abs=1e-12)
        assert measured.folding == 0


def test_linear_map_has_its_own_determinant() -> None:
    matrix = np.array([[0.1, -0.3, 0.2], [0.05, -0.2, 0.4], [0.3, 0.1, 0.25]])
    expected = np.linalg.det(np.eye(3) + matrix)
    np.testing.assert_allclose(jacobian_determinant(linear(matrix)), expected, rtol=1e-12)


def test_reflection_folds_everywhere_and_a_collapse_counts_as_a_fold() -> None:
    assert folding_share(linear(np.diag([-2.0, 0, 0]))) == 1
    assert folding_share(linear(np.diag([0, -1.0, 0]))) == 1


def test_two_voxels_at_each_border_do_not_count() -> None:
    displacement = np.zeros((3, *SIZE))
    displacement[:, 0] = displacement[:, :, -1] = displacement[:, :, :, 0] = 50
    assert smoothness(displacement).folding == 0
    assert smoothness(displacement).sdlogj == pytest.approx(0, abs=1e-12)


def test_convention_2020_is_about_a_quarter_for_gentle_fields() -> None:
    displacement = reference.random_displacement(1, SIZE, 0.1)
    ratio = sdlogj(displacement, "2020") / sdlogj(displacement, "l2r")
    assert ratio == pytest.approx(4 / 16, rel=0.05)


def test_convention_2020_is_not_defined_below_minus_15() -> None:
    displacement = np.zeros((3, *SIZE))
    displacement[0, 5:] = -60
    assert isnan(sdlogj(displacement, "2020"))
    assert not isnan(sdlogj(displacement, "l2r"))


def test_slabs_do_not_show() -> None:
    tall = reference.random_displacement(2, (21, 6, 7), 1.0)
    whole = reference.jacobian_determinant(tall)[2:-2, 2:-2, 2:-2]
    np.testing.assert_allclose(jacobian_determinant(tall), whole, atol=1e-12)


def test_smoothness_names_what_it_cannot_take() -> None:
    with pytest.raises(ValueError, match=r"got \(4, 9, 9\)"):
        smoothness(np.zeros((3, 4, 9, 9)))
    with pytest.raises(ValueError, match=r"\(2, 9, 9, 9\)"):
        smoothness(np.zeros((2, 9, 9, 9)))
    broken = np.zeros((3, *SIZE))
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="got 1 values that are nan or inf"):
        smoothness(broken)
    with pytest.raises(ValueError, match="l2r, 2020, got '2021'"):
        sdlogj(np.zeros((3, *SIZE)), "2021")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="-1 voxels"):
        jacobian_determinant(np.zeros((3, *SIZE)), border=-1)
