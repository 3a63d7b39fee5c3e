"""Matrix products along an axis."""

from __future__ import annotations

import pytest
import torch

from hipreg.spatial.axis import apply_along
from tests.helpers import generator


@pytest.mark.parametrize("axis", [-3, -2, -1])
def test_triangular_matrix_is_the_cumulative_sum(axis: int) -> None:
    volume = torch.rand(2, 4, 5, 6, generator=generator())
    matrix = torch.ones(volume.shape[axis], volume.shape[axis]).tril()
    torch.testing.assert_close(apply_along(matrix, volume, axis), volume.cumsum(axis))


@pytest.mark.parametrize("axis", [-3, -2, -1])
def test_rectangular_matrix_changes_that_axis_alone(axis: int) -> None:
    volume = torch.rand(2, 4, 5, 6, generator=generator())
    expected = list(volume.shape)
    expected[axis] = 9
    assert apply_along(torch.ones(9, volume.shape[axis]), volume, axis).shape == tuple(expected)


def test_autocast_does_not_lower_the_precision() -> None:
    volume = torch.rand(1, 4, 4, 4, generator=generator())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(apply_along(torch.eye(4), volume, -1), volume)


def test_wrong_axis_or_length_is_refused() -> None:
    with pytest.raises(ValueError, match="axis must be"):
        apply_along(torch.eye(4), torch.rand(4, 4, 4), 0)
    with pytest.raises(ValueError, match="needs 5 voxels"):
        apply_along(torch.eye(5), torch.rand(4, 4, 4), -1)
