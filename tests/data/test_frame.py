"""The network's grid in the world of two images."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from hipreg.data import describe
from hipreg.data.frame import (
    centre_of_mass,
    common_frame,
    label_on_frame,
    on_frame,
    ras_directions,
)
from hipreg.data.io import DataError, Volume
from hipreg.data.preprocess import prepare_case
from hipreg.data.scan import volume_of
from tests.data.helpers import random_case

SYNTHETIC = describe("synthetic")
SIZE = SYNTHETIC.size
WINDOW = SYNTHETIC.intensity


def scan(seed: int = 1, *, affine: np.ndarray | None = None, shape=(12, 15, 10)) -> Volume:
    """A smooth image of noise."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    data = ndimage.gaussian_filter(noise, 2).astype(np.float32)
    return volume_of(data, np.eye(4) if affine is None else affine)


def placed(origin: tuple[float, float, float], edges=(1.0, 1.0, 1.0)) -> np.ndarray:
    affine = np.diag([*edges, 1.0])
    affine[:3, 3] = origin
    return affine


def oblique(angle: float = 25.0) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler(
        "xyz", [angle, -angle / 2, angle], degrees=True
    ).as_matrix()
    affine[:3, 3] = (13.0, -7.5, 21.0)
    return affine


@pytest.mark.parametrize("shape", [(12, 15, 10), (70, 13, 66), (64, 64, 64)])
@pytest.mark.parametrize("edges", [(1.0, 1.0, 1.0), (2.0, 1.0, 3.0)])
def test_pair_is_prepared_as_the_training_cases_are(
    shape: tuple[int, int, int], edges: tuple[float, float, float]
) -> None:
    image, label = random_case(4, shape)
    volume = volume_of(image, placed((0, 0, 0), edges))
    labels = Volume(label, volume.affine, volume.spacing, volume.axes)
    frame = common_frame(volume, volume, size=SIZE)
    prepared = prepare_case(volume, labels, SYNTHETIC)
    np.testing.assert_array_equal(label_on_frame(labels, frame.to_fixed, SIZE), prepared.label)
    found = on_frame(volume, frame.to_fixed, SIZE, WINDOW, "fixed")
    np.testing.assert_array_equal(found > 0, prepared.image > 0)
    if max(np.multiply(shape, edges)) <= 64:
        np.testing.assert_allclose(found, prepared.image, atol=1e-5)


def test_stored_axes_make_no_difference() -> None:
    volume = scan(affine=oblique())
    stored = nibabel.Nifti1Image(volume.data, volume.affine)
    frame = common_frame(volume, volume, size=SIZE)
    wanted = on_frame(volume, frame.to_fixed, SIZE, WINDOW, "fixed")
    for axes in ("LPS", "ASL", "IRP"):
        change = nibabel.orientations.ornt_transform(
            nibabel.io_orientation(volume.affine), nibabel.orientations.axcodes2ornt(axes)
        )
        turned = stored.as_reoriented(change)
        other = volume_of(np.asarray(turned.dataobj), turned.affine)
        assert other.data.shape != volume.data.shape or axes == "LPS"
        again = common_frame(other, volume, size=SIZE)
        np.testing.assert_allclose(again.to_fixed, frame.to_fixed, atol=1e-9)
        found = on_frame(other, again.to_fixed, SIZE, WINDOW, "fixed")
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_directions_are_those_nearest_to_right_anterior_superior() -> None:
    turned = np.eye(4)
    turned[:3, :3] = np.array([[0, 0, -2.0], [3.0, 0, 0], [0, 0.5, 0]])
    np.testing.assert_allclose(ras_directions(turned), np.eye(3), atol=1e-12)
    directions = ras_directions(oblique())
    np.testing.assert_allclose(directions, oblique()[:3, :3], atol=1e-12)


def test_overlapping_headers_are_believed() -> None:
    fixed, moving = scan(affine=placed((10, 20, 30))), scan(2, affine=placed((12, 19, 31)))
    frame = common_frame(fixed, moving, size=SIZE)
    assert frame.alignment == "header"
    np.testing.assert_array_equal(frame.to_fixed, frame.to_moving)


@pytest.mark.parametrize("origin", [(0, 0, 0), (1, 1, 1)])
def test_headers_that_know_no_place_leave_the_middles_to_meet(
    origin: tuple[float, float, float],
) -> None:
    fixed, moving = (
        scan(affine=placed(origin)),
        scan(2, affine=placed((9, 9, 9)), shape=(20, 9, 14)),
    )
    frame = common_frame(fixed, moving, size=SIZE)
    assert frame.alignment == "centre"
    between = frame.to_moving @ np.linalg.inv(frame.to_fixed)
    middles = [
        v.affine[:3, :3] @ ((np.array(v.data.shape) - 1) / 2) + v.affine[:3, 3]
        for v in (fixed, moving)
    ]
    shift = middles[1] - middles[0]
    assert np.abs(between[:3, 3] - shift).max() <= 0.5  # an odd rest goes to the far end
    np.testing.assert_allclose(between[:3, :3], np.eye(3), atol=1e-12)


def test_far_apart_headers_leave_the_centres_of_mass_to_meet() -> None:
    fixed, moving = (
        scan(affine=placed((10, 20, 30))),
        scan(2, affine=oblique() + placed((400, 0, 0))),
    )
    moving = volume_of(moving.data, placed((500, 20, 30)))
    frame = common_frame(fixed, moving, size=SIZE)
    assert frame.alignment == "mass"
    moved = frame.to_moving @ np.linalg.inv(frame.to_fixed) @ [*centre_of_mass(fixed), 1]
    np.testing.assert_allclose(moved[:3], centre_of_mass(moving), atol=1e-9)


def test_centre_of_mass_of_a_bright_block_is_its_middle() -> None:
    data = np.random.default_rng(0).uniform(0, 0.01, (21, 21, 21))
    data[4:9, 10:15, 2:7] = 100
    found = centre_of_mass(volume_of(data, placed((100, 0, 0), (2, 1, 1))))
    np.testing.assert_allclose(found, [112, 12, 4], atol=0.1)


def test_centre_moves_the_grid_to_the_asked_point() -> None:
    volume = scan(affine=oblique(), shape=(90, 80, 100))
    point = volume.affine[:3, :3] @ [30, 50, 60] + volume.affine[:3, 3]
    frame = common_frame(volume, volume, size=(16, 16, 16), centre=list(point))
    middle = frame.to_fixed @ [7.5, 7.5, 7.5, 1]
    assert np.abs(middle[:3] - point).max() < 1
    with pytest.raises(ValueError, match="three finite numbers"):
        common_frame(volume, volume, size=SIZE, centre=[1, 2])


def test_image_outside_the_grid_is_refused() -> None:
    volume = scan(affine=placed((10, 20, 30)))
    with pytest.raises(DataError, match="covers nothing"):
        on_frame(volume, placed((900, 0, 0)), SIZE, WINDOW, "moving")


def test_unknown_alignment_is_refused() -> None:
    with pytest.raises(ValueError, match="alignment must be one of"):
        common_frame(scan(), scan(), size=SIZE, alignment="magic")  # type: ignore[arg-type]
