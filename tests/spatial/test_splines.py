"""Cubic B-splines over a grid."""

from __future__ import annotations

import pytest
import torch

from hipreg.spatial.splines import along_axes, control_points, gaussian_matrix, spline_volume
from tests.helpers import generator

SIZE = (9, 12, 7)


def test_equal_coefficients_give_a_constant() -> None:
    ones = torch.full((2, *control_points(SIZE, 4.0)), 3.0)
    volume = spline_volume(ones, SIZE, spacing=4.0)
    assert volume.shape == (2, *SIZE)
    torch.testing.assert_close(volume, torch.full((2, *SIZE), 3.0))


def test_coefficients_on_a_line_give_the_line() -> None:
    count = control_points(SIZE, 4.0)
    line = torch.arange(count[1], dtype=torch.float32)
    volume = spline_volume(line[None, None, :, None].expand(1, *count), SIZE, spacing=4.0)
    steps = volume.diff(dim=2)
    torch.testing.assert_close(steps, torch.full_like(steps, 0.25))


def test_one_coefficient_gives_the_b_spline() -> None:
    coefficients = torch.zeros(1, *control_points((5, 5, 5), 1.0))
    coefficients[0, 3, 3, 3] = 1.0
    volume = spline_volume(coefficients, (5, 5, 5), spacing=1.0)
    assert float(volume[0, 2, 2, 2]) == pytest.approx((2 / 3) ** 3)
    assert float(volume[0, 1, 2, 2]) == pytest.approx(1 / 6 * (2 / 3) ** 2)
    assert float(volume[0, 0, 2, 2]) == 0


def test_axes_are_multiplied_each_with_its_matrix() -> None:
    volumes = torch.rand(2, 3, 4, 5, generator=generator())
    matrices = [torch.rand(n, m, generator=generator(n)) for n, m in ((6, 3), (2, 4), (7, 5))]
    expected = torch.einsum("cdhw,xd,yh,zw->cxyz", volumes, *matrices)
    torch.testing.assert_close(along_axes(volumes, matrices), expected)


def test_smoothing_keeps_constants_and_no_smoothing_keeps_all() -> None:
    torch.testing.assert_close(gaussian_matrix(8, 1.5).sum(1), torch.ones(8))
    torch.testing.assert_close(gaussian_matrix(8, 0.0), torch.eye(8))
