"""Padding to zero, normalising, cropping, resampling, and displacements back to the original."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from hipreg.data.description import DatasetDescription, FixedWindow, PercentileWindow
from hipreg.data.io import Volume
from hipreg.data.placement import Placement
from hipreg.data.preprocess import (
    IN_SCAN_MINIMUM,
    centre_start,
    normalise,
    place,
    prepare_case,
    scan_box,
)
from tests.data.helpers import random_case


def description(size: tuple[int, int, int], spacing: float = 1.0) -> DatasetDescription:
    return DatasetDescription("test", "Test", {1: "a", 2: "b"}, size, spacing, PercentileWindow())


def volume(data: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Volume:
    return Volume(data, np.diag([*spacing, 1.0]), spacing, "RAS")


PADS = [((0, 0), (0, 0), (0, 0)), ((3, 2), (1, 0), (0, 4)), ((1, 1), (1, 1), (1, 1))]


@pytest.mark.parametrize("pads", PADS)
@pytest.mark.parametrize(
    "how", [{"mode": "edge"}, {"mode": "constant"}, {"mode": "constant", "constant_values": -9}]
)
def test_scan_box_finds_padding_by_edge_values_and_by_constants(pads, how) -> None:  # type: ignore[no-untyped-def]
    scan = random_case(0, (5, 6, 7))[0]
    box = scan_box(np.pad(scan, pads, **how))
    assert [(part.start, part.stop) for part in box] == [
        (before, before + n) for (before, _), n in zip(pads, scan.shape, strict=True)
    ]


def test_scan_box_of_a_constant_array_is_all_of_it() -> None:
    assert scan_box(np.full((3, 4, 5), 7.0)) == (slice(0, 3), slice(0, 4), slice(0, 5))


def test_edge_padding_becomes_exactly_zero_and_scan_stays_positive() -> None:
    scan = random_case(0, (5, 6, 7))[0]
    scan[2, 2, 2] = 0
    pads = ((3, 2), (1, 1), (0, 1))
    padded = np.pad(scan, pads, mode="edge")
    image = prepare_case(volume(padded), None, description((10, 8, 8))).image
    inside = np.zeros(image.shape, bool)
    inside[3:8, 1:7, 0:7] = True
    assert (image[~inside] == 0).all()
    assert (image[inside] > 0).all()
    assert image.max() == 1


@pytest.mark.parametrize(("factor", "offset"), [(1.0, 0.0), (1.7e6, 0.0), (1e-4, 0.0), (3, 1e5)])
def test_percentile_window_does_not_depend_on_scale_or_offset(
    factor: float, offset: float
) -> None:
    values = np.random.default_rng(0).uniform(0, 1, size=4000)
    expected = normalise(values, PercentileWindow())
    got = normalise((values * factor + offset).astype(np.float32), PercentileWindow())
    np.testing.assert_allclose(got, expected, atol=0.02 if offset else 1e-5)


def test_percentile_window_is_not_moved_by_a_few_bright_voxels() -> None:
    values = np.linspace(0, 100, 2001)
    bright = values.copy()
    bright[-4:] = 1.7e6
    window = PercentileWindow()
    np.testing.assert_allclose(normalise(bright, window), normalise(values, window), atol=1e-9)


def test_percentile_window_of_whole_range_maps_by_hand() -> None:
    got = normalise(np.array([10.0, 20.0, 50.0]), PercentileWindow(0, 100))
    np.testing.assert_allclose(got, [IN_SCAN_MINIMUM, 0.25, 1.0])


def test_percentile_window_keeps_contrast_of_rare_voxels() -> None:
    values = np.zeros(1000)
    values[0] = 5
    got = normalise(values, PercentileWindow())
    assert got[0] == 1
    assert (got[1:] == np.float32(IN_SCAN_MINIMUM)).all()


def test_fixed_window_maps_hounsfield_units_by_hand() -> None:
    got = normalise(np.array([-1000, -160, 40, 240, 3000], np.int16), FixedWindow(-160, 240))
    np.testing.assert_allclose(got, [IN_SCAN_MINIMUM, IN_SCAN_MINIMUM, 0.5, 1, 1])


def test_integers_survive_the_window() -> None:
    values = np.arange(256, dtype=np.uint8)
    assert (np.diff(normalise(values, PercentileWindow(0, 100))) >= 0).all()


@pytest.mark.parametrize("shape", [(5, 6, 7), (8, 8, 8), (12, 9, 10), (13, 5, 8)])
def test_smaller_is_padded_and_larger_is_cropped_about_the_centre(
    shape: tuple[int, int, int],
) -> None:
    image, label = random_case(1, shape)
    done = prepare_case(volume(image), volume(label), description((8, 8, 8)))
    assert done.image.shape == done.label.shape == (8, 8, 8)
    start = centre_start(shape, (8, 8, 8))
    seen = 0
    for voxel in itertools.product(*(range(n) for n in shape)):
        target = tuple(v + s for v, s in zip(voxel, start, strict=True))
        if all(0 <= t < 8 for t in target):
            assert done.label[target] == label[voxel]
            assert done.image[target] > 0
            seen += 1
    assert np.count_nonzero(done.image) == seen
    assert done.lost_labels == np.count_nonzero(label) - np.count_nonzero(done.label)


def test_odd_rest_goes_to_the_far_end() -> None:
    assert centre_start((5, 8, 11), (8, 8, 8)) == (1, 0, -1)


def test_place_there_and_back_is_the_same() -> None:
    data = random_case(0, (5, 6, 7))[0]
    there = place(data, (1, 2, 0), (9, 9, 9))
    np.testing.assert_array_equal(place(there, (-1, -2, 0), (5, 6, 7)), data)


def test_other_spacing_is_resampled_to_the_same_anatomy() -> None:
    x, y, z = np.indices((8, 24, 16)).astype(float)
    smooth = 100 + x * 10 + y + 2 * z
    label = np.zeros(smooth.shape, np.uint8)
    label[2:6, 6:18, 4:12] = 1
    done = prepare_case(
        volume(smooth, (2.0, 0.5, 1.0)), volume(label, (2.0, 0.5, 1.0)), description((16, 12, 16))
    )
    assert (done.image > 0).all()
    expected = np.zeros((16, 12, 16), np.uint8)
    expected[4:12, 3:9, 4:12] = 1
    np.testing.assert_array_equal(done.label, expected)
    inner = done.image[3:-3, 3:-3, 3:-3].astype(float)
    for axis in range(3):
        steps = np.diff(inner, axis=axis)
        assert steps.std() < 1e-3
        assert (steps > 0).all()


def test_resampled_padding_stays_zero() -> None:
    scan = random_case(0, (6, 6, 6))[0]
    padded = np.pad(scan, 2, mode="edge")
    done = prepare_case(volume(padded, (2.0, 2.0, 2.0)), None, description((20, 20, 20)))
    inside = np.zeros((20, 20, 20), bool)
    inside[4:16, 4:16, 4:16] = True
    np.testing.assert_array_equal(done.image > 0, inside)


def test_rounded_spacing_is_not_resampled() -> None:
    image = random_case(0, (6, 6, 6))[0]
    done = prepare_case(volume(image, (1.0000002, 0.9999, 1.0)), None, description((6, 6, 6)))
    assert done.placement.scale == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("shape", [(5, 6, 7), (12, 9, 8)])
def test_displacement_on_the_original_grid_warps_as_on_the_common_grid(
    shape: tuple[int, int, int],
) -> None:
    image, label = random_case(2, shape)
    done = prepare_case(volume(image), volume(label), description((8, 8, 8)))
    displacement = np.random.default_rng(0).integers(-1, 2, size=(3, 8, 8, 8)).astype(np.float32)
    common = map_coordinates(done.label, np.indices((8, 8, 8)) + displacement, order=0)
    back = done.placement.to_original(displacement)
    original = map_coordinates(label, np.indices(shape) + back, order=0)
    start = centre_start(shape, (8, 8, 8))
    window = tuple(slice(max(s, 0), min(s + n, 8)) for s, n in zip(start, shape, strict=True))
    source = tuple(slice(w.start - s, w.stop - s) for w, s in zip(window, start, strict=True))
    # Near the border the original grid knows voxels that the common grid has cropped.
    inner = (slice(1, -1),) * 3
    np.testing.assert_array_equal(common[window][inner], original[source][inner])


def test_displacement_to_another_original_grid_finds_the_same_voxel() -> None:
    fixed = prepare_case(volume(random_case(0, (5, 6, 7))[0]), None, description((10, 10, 10)))
    moving = prepare_case(volume(random_case(1, (8, 4, 12))[0]), None, description((10, 10, 10)))
    back = fixed.placement.to_original(np.zeros((3, 10, 10, 10)), moving.placement)
    expected = np.subtract(centre_start((5, 6, 7), (10,) * 3), centre_start((8, 4, 12), (10,) * 3))
    np.testing.assert_allclose(back, np.broadcast_to(expected[:, None, None, None], back.shape))


def test_displacement_of_a_resampled_case_is_in_original_voxels() -> None:
    image = random_case(0, (6, 8, 4))[0]
    done = prepare_case(volume(image, (2.0, 0.5, 1.0)), None, description((12, 4, 4)))
    displacement = np.ones((3, 12, 4, 4), np.float32)
    back = done.placement.to_original(displacement)
    assert back.shape == (3, 6, 8, 4)
    for axis, expected in enumerate((0.5, 2.0, 1.0)):
        np.testing.assert_allclose(back[axis], expected, atol=1e-6)


def test_zero_displacement_stays_zero_on_the_original_grid() -> None:
    done = prepare_case(
        volume(random_case(0, (6, 8, 4))[0], (1.3, 0.7, 1.0)), None, description((8, 8, 8))
    )
    np.testing.assert_allclose(done.placement.to_original(np.zeros((3, 8, 8, 8))), 0, atol=1e-6)


def test_displacement_of_wrong_shape_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"\(3, 8, 8, 8\), got \(3, 8, 8, 7\)"):
        Placement.identity((8, 8, 8)).to_original(np.zeros((3, 8, 8, 7)))
