"""Resampling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from hipreg.evaluation import warp_label
from hipreg.spatial import warp
from tests.helpers import SMALL, box_label, random_displacement, smooth_images


def test_identity_displacement_returns_moving() -> None:
    moving = smooth_images(2)
    torch.testing.assert_close(warp(moving, torch.zeros(2, 3, *SMALL)), moving)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_displacement_of_one_voxel_reads_the_next_voxel(axis: int) -> None:
    moving = smooth_images(1)
    displacement = torch.zeros(1, 3, *SMALL)
    displacement[:, axis] = 1
    warped = warp(moving, displacement)
    inner = [slice(None)] * 5
    inner[2 + axis] = slice(0, -1)
    expected = moving.roll(-1, dims=2 + axis)
    torch.testing.assert_close(warped[tuple(inner)], expected[tuple(inner)], atol=1e-5, rtol=0)
    outside = [slice(None)] * 5
    outside[2 + axis] = slice(-1, None)
    assert warped[tuple(outside)].abs().max() < 1e-5


def test_linear_warp_equals_scipy_in_the_interior() -> None:
    size = (8, 10, 12)
    moving = smooth_images(1, size=(8, 12, 12))[..., :10, :]
    displacement = random_displacement(1, size=size, largest=1.5)
    grid = np.indices(size)
    expected = ndimage.map_coordinates(
        moving[0, 0].numpy().astype(np.float64), grid + displacement[0].numpy(), order=1
    )
    inside = np.all(
        (grid + displacement[0].numpy() >= 0)
        & (grid + displacement[0].numpy() <= np.array(size).reshape(3, 1, 1, 1) - 1),
        axis=0,
    )
    warped = warp(moving, displacement)[0, 0].numpy()
    np.testing.assert_allclose(warped[inside], expected[inside], atol=1e-5)


def test_nearest_warp_equals_the_evaluator() -> None:
    label = box_label()
    displacement = random_displacement(1)
    warped = warp(label.float(), displacement, interpolation="nearest")[0, 0].numpy()
    np.testing.assert_array_equal(warped, warp_label(label[0, 0].numpy(), displacement[0].numpy()))


def test_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in size"):
        warp(smooth_images(1), torch.zeros(1, 3, 8, 8, 8))
    with pytest.raises(ValueError, match="same batch"):
        warp(smooth_images(2), torch.zeros(1, 3, *SMALL))
