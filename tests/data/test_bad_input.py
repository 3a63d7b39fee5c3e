"""Every bad input is one clear error that names all the bad files, before anything is written."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from hipreg.data import DataError, load_cohort
from hipreg.data.io import write_volume
from tests.data.helpers import random_case, write_case


def failure(folder: Path) -> str:
    """The message of the error that loading the folder raises; nothing may be left behind."""
    cache = Path(os.environ["HIPREG_CACHE"])
    before = sorted(cache.iterdir()) if cache.exists() else []
    with pytest.raises(DataError) as caught:
        load_cohort(data_dir=folder)
    assert (sorted(cache.iterdir()) if cache.exists() else []) == before
    return str(caught.value)


def test_missing_label_is_named(decathlon: Path) -> None:
    (decathlon / "labelsTr" / "hippocampus_003.nii.gz").unlink()
    message = failure(decathlon)
    assert "imagesTr/hippocampus_003.nii.gz: missing label" in message
    assert "1 bad file(s)" in message


def test_label_without_image_is_named(decathlon: Path) -> None:
    (decathlon / "imagesTr" / "hippocampus_003.nii.gz").unlink()
    assert "labelsTr/hippocampus_003.nii.gz: label without an image" in failure(decathlon)


def test_label_of_another_shape_is_named(decathlon: Path) -> None:
    write_case(decathlon, 3, label=random_case(3, (12, 14, 11))[1])
    message = failure(decathlon)
    assert "labelsTr/hippocampus_003.nii.gz: shape (12, 14, 11)" in message
    assert "(12, 14, 10)" in message


@pytest.mark.parametrize(("value", "shown"), [(3, "labels 3"), (0.5, "0.5"), (np.nan, "nan")])
def test_unknown_label_values_are_named(decathlon: Path, value: float, shown: str) -> None:
    label = random_case(3)[1].astype(np.float32)
    label[0, 0, 0] = value
    write_case(decathlon, 3, label=label)
    message = failure(decathlon)
    assert "labelsTr/hippocampus_003.nii.gz: labels" in message
    assert shown in message
    assert "expected only 0, 1, 2" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_intensities_that_are_not_finite_are_named(decathlon: Path, value: float) -> None:
    image = random_case(3)[0]
    image[2, 3, 4] = value
    write_case(decathlon, 3, image=image)
    message = failure(decathlon)
    assert "imagesTr/hippocampus_003.nii.gz: 1 NaN or infinite" in message


@pytest.mark.parametrize(("value", "shown"), [(0, "every voxel is 0"), (7, "every voxel is 7")])
def test_image_of_one_value_is_named(decathlon: Path, value: float, shown: str) -> None:
    write_case(decathlon, 3, image=np.full((12, 14, 10), value, np.float32))
    message = failure(decathlon)
    assert "imagesTr/hippocampus_003.nii.gz" in message
    assert shown in message


@pytest.mark.parametrize(
    ("shape", "kind"), [((12, 14), "2D"), ((12, 14, 1), "2D"), ((6, 7, 5, 3), "4D")]
)
def test_files_that_are_not_3d_are_named(
    decathlon: Path, shape: tuple[int, ...], kind: str
) -> None:
    write_case(decathlon, 3, image=np.ones(shape, np.float32), label=np.ones(shape, np.uint8))
    message = failure(decathlon)
    assert f"imagesTr/hippocampus_003.nii.gz: {kind} file of shape" in message
    assert f"labelsTr/hippocampus_003.nii.gz: {kind} file of shape" in message


@pytest.mark.parametrize("keep", [0, 10, 0.3, 0.97, -4])
def test_truncated_file_is_named(decathlon: Path, keep: float) -> None:
    path = decathlon / "imagesTr" / "hippocampus_003.nii.gz"
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if 0 < keep < 1 else int(keep)])
    message = failure(decathlon)
    assert "imagesTr/hippocampus_003.nii.gz: " in message
    assert "1 bad file(s)" in message


def test_flipped_byte_is_found_by_the_checksum(decathlon: Path) -> None:
    path = decathlon / "imagesTr" / "hippocampus_003.nii.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert "imagesTr/hippocampus_003.nii.gz: " in failure(decathlon)


def test_file_that_is_no_nifti_is_named(decathlon: Path) -> None:
    (decathlon / "imagesTr" / "hippocampus_003.nii.gz").write_text("<html>404</html>")
    assert "imagesTr/hippocampus_003.nii.gz: " in failure(decathlon)


@pytest.mark.parametrize("edge", [0.0, np.nan, 500.0])
def test_impossible_spacing_is_named(decathlon: Path, edge: float) -> None:
    path = decathlon / "imagesTr" / "hippocampus_003.nii.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    # The first row of the affine in the NIfTI-1 header.
    content[280:296] = np.array([edge, 0, 0, 0], dtype="<f4").tobytes()
    path.write_bytes(gzip.compress(bytes(content)))
    message = failure(decathlon)
    assert "imagesTr/hippocampus_003.nii.gz: voxel edges of" in message


def test_one_error_names_all_bad_files(decathlon: Path) -> None:
    write_case(decathlon, 1, image=np.zeros((12, 14, 10), np.float32))
    (decathlon / "labelsTr" / "hippocampus_003.nii.gz").unlink()
    label = random_case(4)[1]
    label[0, 0, 0] = 9
    write_case(decathlon, 4, label=label)
    write_case(decathlon, 6)
    message = failure(decathlon)
    for name in (
        "imagesTr/hippocampus_001.nii.gz",
        "imagesTr/hippocampus_003.nii.gz",
        "labelsTr/hippocampus_004.nii.gz",
    ):
        assert name in message
    assert "hippocampus_006" not in message
    assert "3 bad file(s)" in message


def test_bad_image_and_bad_label_of_one_case_are_both_named(decathlon: Path) -> None:
    label = random_case(3)[1]
    label[0, 0, 0] = 9
    write_case(decathlon, 3, image=np.zeros((12, 14, 10), np.float32), label=label)
    message = failure(decathlon)
    assert "imagesTr/hippocampus_003.nii.gz" in message
    assert "labelsTr/hippocampus_003.nii.gz" in message


def test_case_that_is_there_twice_is_named(decathlon: Path) -> None:
    image = random_case(3)[0]
    write_volume(decathlon / "imagesTr" / "hippocampus_003.nii", image, np.eye(4))
    assert "case 3 is there twice" in failure(decathlon)


def test_file_where_a_folder_should_be_is_an_error(decathlon: Path) -> None:
    labels = decathlon / "labelsTr"
    labels.rename(decathlon / "elsewhere")
    labels.write_text("")
    message = failure(decathlon)
    assert str(labels) in message
    assert "cannot be read as a folder" in message


@pytest.mark.parametrize("name", ["imagesTr", "labelsTr"])
def test_folder_without_permission_is_an_error(
    decathlon: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.iterdir

    # Simulated, since an administrator may read any folder.
    def deny(self: Path):  # type: ignore[no-untyped-def]
        if self.name == name:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    monkeypatch.setattr(Path, "iterdir", deny)
    message = failure(decathlon)
    assert str(decathlon / name) in message
    assert "Permission denied" in message


def test_file_without_permission_is_named(
    decathlon: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_bytes

    def deny(self: Path) -> bytes:
        if self.name == "hippocampus_003.nii.gz":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", deny)
    message = failure(decathlon)
    assert "imagesTr/hippocampus_003.nii.gz: cannot be read (Permission denied)" in message
    assert "labelsTr/hippocampus_003.nii.gz: cannot be read (Permission denied)" in message


def test_bad_input_leaves_an_earlier_cache_alone(decathlon: Path) -> None:
    good = load_cohort(data_dir=decathlon)
    kept = np.array(good.images)
    path = decathlon / "imagesTr" / "hippocampus_003.nii.gz"
    content = path.read_bytes()
    stamp = path.stat().st_mtime_ns
    path.write_bytes(content[:100])
    failure(decathlon)
    np.testing.assert_array_equal(good.images, kept)
    path.write_bytes(content)
    os.utime(path, ns=(stamp, stamp))
    assert load_cohort(data_dir=decathlon).fingerprint == good.fingerprint


def test_unwritable_cache_is_an_error_that_says_what_to_set(
    decathlon: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    with pytest.raises(DataError, match="HIPREG_CACHE"):
        load_cohort(data_dir=decathlon, cache_dir=blocked)


def test_full_disk_is_an_error_and_leaves_nothing(
    decathlon: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(DataError, match="No space left"):
        load_cohort(data_dir=decathlon)
    assert list((tmp_path / "cache").iterdir()) == []


def test_training_file_that_the_list_names_must_exist(tmp_path: Path) -> None:
    root = tmp_path / "HippocampusMR"
    image, label = random_case(1)
    write_volume(root / "imagesTr" / "HippocampusMR_0001_0000.nii.gz", image, np.eye(4))
    write_volume(root / "labelsTr" / "HippocampusMR_0001_0000.nii.gz", label, np.eye(4))
    names = [f"HippocampusMR_{n:04d}_0000.nii.gz" for n in (1, 2)]
    listed = [{"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"} for name in names]
    (root / "HippocampusMR_dataset.json").write_text(json.dumps({"training": listed}))
    message = failure(root)
    assert "imagesTr/HippocampusMR_0002_0000.nii.gz: listed in" in message
    assert "labelsTr/HippocampusMR_0002_0000.nii.gz: listed in" in message
    (root / "HippocampusMR_dataset.json").write_text("{")
    assert "HippocampusMR_dataset.json: no readable list" in failure(root)
