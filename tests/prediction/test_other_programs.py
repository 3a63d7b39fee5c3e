"""Fields that we write do in other programs what they do here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

import hipreg
from hipreg.data.io import DataError, write_nifti, write_volume
from hipreg.data.itk import read_itk_field, write_itk_field
from hipreg.prediction.report import FIELD, INVERSE, WARPED, WARPED_LABEL
from tests.helpers import skip_or_fail
from tests.prediction.helpers import label_of, small_model, smooth_scan, world

SPACES: dict[str, dict[str, Any]] = {
    "straight": {},
    "oblique": {"angle": 22.0},
    "mirrored": {"flips": (0,)},
    "left posterior": {"flips": (0, 1)},
    "anisotropic": {"edges": (1.0, 0.8, 1.6)},
    "all of it": {"angle": -17.0, "edges": (0.9, 1.3, 1.0), "flips": (1, 2)},
}


@pytest.fixture(scope="module")
def sitk() -> Any:
    if importlib.util.find_spec("SimpleITK") is None:
        skip_or_fail("SimpleITK is not installed")
    import SimpleITK

    return SimpleITK


PAIRS = [*((space, "all of it") for space in SPACES), ("oblique", "straight")]


@pytest.fixture(scope="module", params=PAIRS, ids="{0[0]} to {0[1]}".format)
def registered(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A moving and a fixed image, and the folder of what registration leaves of them."""
    folder = tmp_path_factory.mktemp("pair")
    fixed_space, moving_space = request.param
    fixed = smooth_scan(folder / "fixed.nii.gz", world(**SPACES[fixed_space]), seed=1)
    # Not quite the same place, and another grid.
    there = world((9.0, -18.5, 31.0), **SPACES[moving_space])
    moving = smooth_scan(folder / "moving.nii.gz", there, seed=2, shape=(18, 16, 15))
    pair = hipreg.register(
        moving,
        fixed,
        small_model(),
        moving_label=label_of(moving),
        options=hipreg.Options(alignment="mass"),
    )
    assert 1 < np.linalg.norm(pair.displacement - pair.unregistered, axis=0).max() < 30
    write_itk_field(folder / FIELD, pair.displacement, pair.fixed.affine)
    write_itk_field(folder / INVERSE, pair.inverse_displacement, pair.moving.affine)
    write_nifti(folder / WARPED, pair.warp())
    write_nifti(folder / WARPED_LABEL, pair.warp_label())
    return moving, fixed, folder


def itk_warped(sitk: Any, field: Path, image: Path, grid: Path, *, label: bool) -> np.ndarray:
    """The image under a field as SimpleITK resamples it, axes in our order."""
    transform = sitk.DisplacementFieldTransform(sitk.ReadImage(str(field), sitk.sitkVectorFloat64))
    kind = sitk.sitkUInt8 if label else sitk.sitkFloat64
    result = sitk.Resample(
        sitk.ReadImage(str(image), kind),
        sitk.ReadImage(str(grid)),
        transform,
        sitk.sitkNearestNeighbor if label else sitk.sitkLinear,
        0.0,
    )
    return sitk.GetArrayFromImage(result).transpose(2, 1, 0)


def test_simpleitk_warps_as_we_do(sitk: Any, registered: tuple[Path, Path, Path]) -> None:
    moving, fixed, out = registered
    ours = nibabel.load(out / WARPED).get_fdata()
    theirs = itk_warped(sitk, out / FIELD, moving, fixed, label=False)
    assert (ours > 0).mean() > 0.2
    scale = nibabel.load(moving).get_fdata().max()
    close = np.abs(ours - theirs) < 1e-3 * scale
    # Positions on the very rim of the moving image may fall to either side of it.
    assert close.mean() > 0.999
    label = nibabel.load(out / WARPED_LABEL).get_fdata()
    other = itk_warped(sitk, out / FIELD, label_of(moving), fixed, label=True)
    assert (label == other).mean() > 0.998
    assert set(np.unique(label)) == {0, 1, 2}


def test_simpleitk_undoes_the_warp_with_the_inverse_field(
    sitk: Any, registered: tuple[Path, Path, Path]
) -> None:
    moving, fixed, out = registered
    forward, back = (
        sitk.DisplacementFieldTransform(sitk.ReadImage(str(out / name), sitk.sitkVectorFloat64))
        for name in (FIELD, INVERSE)
    )
    image = nibabel.load(moving)
    left = []
    for voxel in np.argwhere(np.ones(image.shape)):
        if ((voxel < 4) | (voxel > np.array(image.shape) - 5)).any():
            continue
        start = (image.affine @ [*voxel, 1])[:3] * [-1, -1, 1]
        end = forward.TransformPoint(back.TransformPoint(tuple(start)))
        left.append(np.linalg.norm(np.subtract(end, start)))
    # An untrained network folds here and there, where nothing undoes it.
    assert np.median(left) < 0.35
    assert fixed.exists()


def test_field_has_the_header_that_itk_takes_as_it_is(tmp_path: Path) -> None:
    field = np.random.default_rng(0).standard_normal((3, 4, 5, 6)).astype(np.float32)
    affine = world(angle=30.0, edges=(1.0, 2.0, 3.0), flips=(0,))
    write_itk_field(tmp_path / "field.nii.gz", field, affine)
    image = nibabel.load(tmp_path / "field.nii.gz")
    assert image.shape == (4, 5, 6, 1, 3)
    assert int(image.header["intent_code"]) == 1007
    np.testing.assert_allclose(image.get_fdata()[..., 0, 0], -field[0], atol=1e-6)
    np.testing.assert_allclose(image.get_fdata()[..., 0, 2], field[2], atol=1e-6)
    again, where = read_itk_field(tmp_path / "field.nii.gz")
    np.testing.assert_array_equal(again, field)
    np.testing.assert_allclose(where, affine, atol=1e-5)


def test_other_files_are_no_fields(tmp_path: Path) -> None:
    write_volume(tmp_path / "image.nii", np.zeros((4, 4, 4), np.float32), np.eye(4))
    with pytest.raises(DataError, match=r"image\.nii: shape \(4, 4, 4\)"):
        read_itk_field(tmp_path / "image.nii")
    with pytest.raises(ValueError, match=r"\(3, D, H, W\)"):
        write_itk_field(tmp_path / "field.nii", np.zeros((4, 4, 4)), np.eye(4))


def test_ants_warps_as_we_do(registered: tuple[Path, Path, Path]) -> None:
    # Half a gigabyte, and for this test alone: run where somebody has it.
    ants: Any = pytest.importorskip("ants")
    moving, fixed, out = registered
    theirs = ants.apply_transforms(
        ants.image_read(str(fixed)),
        ants.image_read(str(moving)),
        [str(out / FIELD)],
    ).numpy()
    ours = nibabel.load(out / WARPED).get_fdata()
    scale = nibabel.load(moving).get_fdata().max()
    assert (np.abs(ours - theirs) < 1e-3 * scale).mean() > 0.999
