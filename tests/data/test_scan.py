"""Images of users: read as they are, or refused with one clear error."""

from __future__ import annotations

import gzip
import logging
import struct
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

from hipreg.data.io import DataError, write_volume
from hipreg.data.scan import read_image, read_label
from tests.data.helpers import random_case

IMAGE, LABEL = random_case(1)


def refused(source: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_image(source, "moving")
    message = str(caught.value)
    assert message.startswith("moving image")
    return message


def written(tmp_path: Path, data: Any, affine: Any = None) -> Path:
    path = tmp_path / "scan.nii.gz"
    write_volume(path, data, np.eye(4) if affine is None else affine)
    return path


def test_file_nibabel_array_and_tensor_are_one_image(tmp_path: Path) -> None:
    path = written(tmp_path, IMAGE)
    sources = [path, str(path), nibabel.load(path), IMAGE, IMAGE[None, None]]
    sources += [torch.from_numpy(IMAGE), torch.from_numpy(IMAGE)[None, None]]
    for source in sources:
        volume = read_image(source, "moving")
        np.testing.assert_array_equal(volume.data, IMAGE)
        np.testing.assert_array_equal(volume.affine, np.eye(4))


def test_zero_affine_is_refused(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(IMAGE, np.eye(4))
    image.set_sform(np.zeros((4, 4)), code=1)
    path = tmp_path / "scan.nii"
    image.to_filename(path)
    message = refused(path)
    assert "scan.nii" in message
    assert "voxel edges of 0 x 0 x 0 mm" in message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_intensities_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    image = IMAGE.copy()
    image[2, 3, 4] = value
    assert "1 NaN or infinite" in refused(written(tmp_path, image))


def test_one_slice_is_refused(tmp_path: Path) -> None:
    assert "2D file of shape (12, 14, 1)" in refused(written(tmp_path, IMAGE[:, :, :1]))


def test_four_dimensions_are_refused(tmp_path: Path) -> None:
    assert "4D file" in refused(written(tmp_path, np.stack([IMAGE, IMAGE], axis=-1)))
    assert "4D file" in refused(np.stack([IMAGE, IMAGE]))


@pytest.mark.parametrize(("times", "said"), [(100, "voxel edges of 100"), (18, "micrometres")])
def test_image_that_is_far_too_large_is_refused(tmp_path: Path, times: int, said: str) -> None:
    image = np.tile(IMAGE, (5, 5, 7))
    assert said in refused(written(tmp_path, image, np.diag([times, times, times, 1.0])))


def test_header_of_a_hundred_times_the_voxels_is_refused_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "scan.nii"
    nibabel.Nifti1Image(IMAGE, np.eye(4)).to_filename(path)
    content = bytearray(path.read_bytes())
    content[40:56] = struct.pack("<8h", 3, 1200, 1400, 1000, 1, 1, 1, 1)
    path.write_bytes(content)
    assert "(1200, 1400, 1000)" in refused(path)


@pytest.mark.parametrize("content", [b"", b"no image", gzip.compress(b"x" * 500, mtime=0)])
def test_files_that_are_no_images_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.nii.gz"
    path.write_bytes(content)
    assert "odd.nii.gz" in refused(path)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, IMAGE)
    path.write_bytes(path.read_bytes()[:-200])
    assert "truncated" in refused(path)


def test_missing_file_and_other_things_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "nowhere.nii.gz")
    assert "got a int" in refused(7)


def test_constant_image_is_refused() -> None:
    assert "every voxel is 0" in refused(np.zeros((5, 5, 5)))
    assert "every voxel is 3" in refused(np.full((5, 5, 5), 3.0))


def test_header_without_place_is_taken_for_ras_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = nibabel.Nifti1Image(IMAGE, None)
    image.header.set_zooms((1, 2, 3))
    path = tmp_path / "scan.nii"
    image.to_filename(path)
    with caplog.at_level(logging.WARNING):
        volume = read_image(path, "fixed")
    np.testing.assert_array_equal(volume.affine, np.diag([1, 2, 3, 1]))
    assert "does not say where its axes point" in caplog.text


def test_label_must_lie_on_the_grid_of_its_image(tmp_path: Path) -> None:
    image = read_image(written(tmp_path, IMAGE), "fixed")
    path = tmp_path / "label.nii.gz"
    for data, affine, said in (
        (LABEL[1:], np.eye(4), "shape (11, 14, 10); expected that of its image, (12, 14, 10)"),
        (LABEL, np.diag([1, 1, 2, 1.0]), "another affine"),
        (LABEL * 0.5, np.eye(4), "no whole numbers"),
        (LABEL * 0, np.eye(4), "every voxel is 0"),
    ):
        write_volume(path, data, affine)
        with pytest.raises(DataError) as caught:
            read_label(path, image, "fixed")
        assert said in str(caught.value)
        assert "label.nii.gz" in str(caught.value)


def test_label_array_takes_the_place_of_its_image(tmp_path: Path) -> None:
    affine = np.diag([2.0, 1, 1, 1])
    image = read_image(written(tmp_path, IMAGE, affine), "fixed")
    label = read_label(LABEL, image, "fixed")
    np.testing.assert_array_equal(label.affine, affine)
    np.testing.assert_array_equal(label.data, LABEL)
