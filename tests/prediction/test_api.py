"""Two scans in, everything about them out."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch

import hipreg
from hipreg.data.io import DataError, write_volume
from hipreg.data.preprocess import prepare_case
from hipreg.data.scan import volume_of
from hipreg.evaluation import dice
from hipreg.evaluation.network import extend
from hipreg.prediction.pair import MappedPair
from tests.data.helpers import random_case
from tests.prediction.helpers import label_of, small_model, smooth_scan, world

SMALL = small_model()


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("scans")
    moving = smooth_scan(
        folder / "moving.nii.gz", world((24.0, -20.0, 30.0), angle=12.0, flips=(0,)), seed=2
    )
    fixed = smooth_scan(folder / "fixed.nii.gz", world(edges=(1.0, 1.0, 1.4)), seed=1)
    return moving, fixed


@pytest.fixture(scope="module")
def pair(scans: tuple[Path, Path]) -> hipreg.RegisteredPair:
    moving, fixed = scans
    return hipreg.register(
        moving, fixed, SMALL, moving_label=label_of(moving), fixed_label=label_of(fixed)
    )


def test_import_of_hipreg_costs_nothing() -> None:
    code = (
        "import sys, hipreg; "
        "heavy = {'torch', 'numpy', 'scipy', 'nibabel', 'matplotlib'} & set(sys.modules); "
        "assert not heavy, heavy; assert 'register' in dir(hipreg)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    for name in hipreg.__all__:
        assert getattr(hipreg, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = hipreg.nothing


def test_files_nibabel_arrays_and_tensors_are_registered_alike(scans: tuple[Path, Path]) -> None:
    images = [nibabel.load(path) for path in scans]
    from_files = hipreg.register(*scans, SMALL)
    from_images = hipreg.register(*images, SMALL)
    np.testing.assert_array_equal(from_files.displacement, from_images.displacement)
    arrays = [np.asarray(image.dataobj) for image in images]
    from_arrays = hipreg.register(*arrays, SMALL)
    tensors = [torch.from_numpy(array.copy())[None, None] for array in arrays]
    from_tensors = hipreg.register(*tensors, SMALL)
    np.testing.assert_array_equal(from_arrays.displacement, from_tensors.displacement)
    # Without headers the arrays are all that is known.
    assert from_arrays.frame.alignment == "centre"


def test_result_has_the_shapes_of_the_fixed_image(
    pair: MappedPair, scans: tuple[Path, Path]
) -> None:
    shape = nibabel.load(scans[1]).shape
    assert pair.displacement.shape == (3, *shape)
    assert pair.displacement.dtype == np.float32
    assert pair.jacobian().shape == shape
    assert pair.warped.shape == shape
    assert np.abs(pair.displacement).max() > 1


def test_warped_reads_the_moving_image_at_the_displaced_world_position(
    pair: MappedPair,
) -> None:
    moving = pair.moving
    checked = 0
    for voxel in np.argwhere(np.ones(pair.fixed.data.shape))[::37]:
        world_position = (pair.fixed.affine @ [*voxel, 1])[:3] + pair.displacement[:, *voxel]
        at = (np.linalg.inv(moving.affine) @ [*world_position, 1])[:3]
        if ((at < 0) | (at > np.array(moving.data.shape) - 1.001)).any():
            continue
        low = np.floor(at).astype(int)
        share = at - low
        value = 0.0
        for corner in np.ndindex(2, 2, 2):
            weight = np.prod(np.where(np.array(corner) == 1, share, 1 - share))
            value += weight * float(moving.data[tuple(low + corner)])
        assert pair.warped[tuple(voxel)] == pytest.approx(value, rel=2e-3, abs=0.5)
        checked += 1
    assert checked > 20


def test_displacement_is_that_of_the_prepared_pair_brought_back() -> None:
    """The way over the data set's preparation, which training and evaluation take."""
    description = SMALL.description
    arrays = [random_case(seed, shape)[0] for seed, shape in ((1, (12, 15, 9)), (2, (11, 14, 16)))]
    prepared = [prepare_case(volume_of(a, np.eye(4)), None, description) for a in arrays]
    crop = slice(24, 40)
    moving, fixed = (torch.from_numpy(p.image[crop, crop, crop])[None, None] for p in prepared)
    with torch.no_grad():
        on_crop = SMALL.net(moving, fixed).displacement
    on_grid = extend(on_crop, size=description.size)[0].numpy()
    wanted = prepared[1].placement.to_original(on_grid, prepared[0].placement)
    found = hipreg.register(*arrays, SMALL)
    np.testing.assert_allclose(found.displacement, wanted, atol=1e-4)


def test_how_the_fixed_image_is_stored_makes_no_difference(scans: tuple[Path, Path]) -> None:
    moving, fixed = scans
    image = nibabel.load(fixed)
    wanted = hipreg.register(moving, fixed, SMALL).displacement
    change = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt("IPR")
    )
    stored = image.as_reoriented(change)
    found = hipreg.register(moving, stored, SMALL)
    back = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt("IPR"), nibabel.io_orientation(image.affine)
    )
    for axis in range(3):
        component = nibabel.orientations.apply_orientation(found.displacement[axis], back)
        np.testing.assert_allclose(component, wanted[axis], atol=1e-3)


def test_same_file_for_both_is_left_within_a_tenth_of_a_voxel(scans: tuple[Path, Path]) -> None:
    for path in scans:
        for steps in (0, 10):
            options = hipreg.Options(refinement=hipreg.Refinement(steps=steps))
            found = hipreg.register(path, path, SMALL, options=options)
            assert np.abs(found.displacement).max() < 0.1
            np.testing.assert_allclose(found.jacobian(), 1, atol=0.1)


def test_a_model_is_used_as_it_was_published(scans: tuple[Path, Path]) -> None:
    steps = 3
    optimised = hipreg.register(*scans, replace(SMALL, instance_steps=steps))
    options = hipreg.Options(refinement=hipreg.Refinement(steps=steps))
    asked_for = hipreg.register(*scans, SMALL, options=options)
    np.testing.assert_array_equal(optimised.displacement, asked_for.displacement)
    assert optimised.refinement.steps == steps
    plainly = hipreg.Options(refinement=hipreg.Refinement())
    bare = hipreg.register(*scans, replace(SMALL, instance_steps=steps), options=plainly)
    assert np.abs(bare.displacement - optimised.displacement).max() > 0.01


def test_nothing_moves_far_from_what_is_registered(tmp_path: Path) -> None:
    fixed = smooth_scan(tmp_path / "fixed.nii.gz", world(), shape=(100, 20, 18))
    moving = smooth_scan(tmp_path / "moving.nii.gz", world(), seed=4, shape=(100, 20, 18))
    centre = [10.0 + 20, -20.0 + 10, 30.0 + 9]
    options = hipreg.Options(centre=centre)
    found = hipreg.register(moving, fixed, SMALL, options=options)
    assert found.frame.alignment == "header"
    lengths = np.linalg.norm(found.displacement, axis=0)
    assert lengths[:40].max() > 1
    assert lengths[20 + 32 + 17 :].max() == 0
    (note,) = found.metrics()["notes"]
    assert note.startswith("52.0% of the fixed scan was registered")
    whole = smooth_scan(tmp_path / "whole.nii.gz", world(), shape=(28, 20, 18))
    assert hipreg.register(moving, whole, SMALL).metrics()["notes"] == []


def test_warp_answers_in_kind(pair: MappedPair, scans: tuple[Path, Path]) -> None:
    image = nibabel.load(scans[0])
    array = np.asarray(image.dataobj)
    shape = pair.fixed.data.shape
    for source, kind, wanted in (
        (None, nibabel.Nifti1Image, shape),
        (scans[0], nibabel.Nifti1Image, shape),
        (image, nibabel.Nifti1Image, shape),
        (array, np.ndarray, shape),
        (torch.from_numpy(array.copy()), torch.Tensor, shape),
        (torch.from_numpy(array.copy())[None, None], torch.Tensor, (1, 1, *shape)),
    ):
        found = pair.warp(source)
        assert isinstance(found, kind)
        assert found.shape == wanted
        values = found.get_fdata() if kind is nibabel.Nifti1Image else np.asarray(found)
        np.testing.assert_allclose(values.reshape(shape), pair.warped, atol=1e-3)
    np.testing.assert_array_equal(pair.warp().affine, pair.fixed.affine)
    label = pair.warp_label()
    assert set(np.unique(label.get_fdata())) <= {0, 1, 2}
    found = pair.warp_label(label_of(scans[0]))
    np.testing.assert_array_equal(found.get_fdata(), label.get_fdata())
    with pytest.raises(DataError, match="of the moving image's shape"):
        pair.warp(array[1:])


def test_label_that_was_never_given_cannot_be_warped(scans: tuple[Path, Path]) -> None:
    with pytest.raises(DataError, match="no moving label"):
        hipreg.register(*scans, SMALL).warp_label()


def test_labels_are_measured_and_never_used(pair: MappedPair, scans: tuple[Path, Path]) -> None:
    without = hipreg.register(*scans, SMALL)
    np.testing.assert_array_equal(without.displacement, pair.displacement)
    labels = hipreg.RegisteredPair.metrics(pair)["labels"]  # type: ignore[arg-type]
    warped = pair.warp_label().get_fdata()
    assert pair.fixed_label is not None
    for label in (1, 2):
        wanted = dice(pair.fixed_label.data == label, warped == label)
        assert labels[str(label)]["dice"]["after"] == pytest.approx(wanted)
        assert labels[str(label)]["hd95_mm"]["before"] > 0


def test_jacobian_of_a_pure_shift_is_one(scans: tuple[Path, Path]) -> None:
    found = hipreg.register(*scans, SMALL)
    still = found.unregistered
    assert np.ptp(still.reshape(3, -1), axis=1).max() < 1e-3
    assert found.jacobian().shape == found.fixed.data.shape


def test_everything_is_saved_and_nothing_overwritten(
    pair: hipreg.RegisteredPair, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "out"
    names = {path.name for path in pair.save(folder)}
    assert names == {
        "displacement.nii.gz",
        "inverse_displacement.nii.gz",
        "metrics.json",
        "panel.png",
        "warped.nii.gz",
        "warped_label.nii.gz",
    }
    assert names == {path.name for path in folder.iterdir()}
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["alignment"] == "header"
    assert 0 <= metrics["labels"]["1"]["dice"]["after"] <= 1
    (folder / "panel.png").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="nothing was overwritten"):
        pair.save(folder)
    assert (folder / "panel.png").read_bytes() == b"mine"
    pair.save(folder, overwrite=True)
    assert (folder / "panel.png").stat().st_size > 10_000


def test_only_symmetric_registrations_save_an_inverse(
    scans: tuple[Path, Path], tmp_path: Path
) -> None:
    one_way = small_model(symmetric=False)
    hipreg.register(*scans, one_way).save(tmp_path / "one")
    assert not (tmp_path / "one" / "inverse_displacement.nii.gz").exists()
    options = hipreg.Options(refinement=hipreg.Refinement(both_directions=True))
    hipreg.register(*scans, one_way, options=options).save(tmp_path / "both")
    assert (tmp_path / "both" / "inverse_displacement.nii.gz").exists()


def test_images_that_share_nothing_are_refused(scans: tuple[Path, Path], tmp_path: Path) -> None:
    far = smooth_scan(tmp_path / "far.nii.gz", world((900.0, 0.0, 0.0)))
    options = hipreg.Options(alignment="header")
    with pytest.raises(DataError, match="moving image covers nothing"):
        hipreg.register(far, scans[1], SMALL, options=options)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": np.full((8, 8, 8), np.nan, np.float32)}, "NaN"),
        ({"data": np.ones((8, 8, 1), np.float32)}, "2D file"),
        ({"data": np.ones((8, 8, 8, 2), np.float32)}, "4D file"),
        ({"affine": np.diag([100.0, 100, 100, 1])}, "100 x 100 x 100 mm"),
    ],
)
def test_bad_images_are_refused_by_name_and_role(
    scans: tuple[Path, Path], tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    data = changes.get("data", np.random.default_rng(0).random((8, 8, 8)).astype(np.float32))
    path = tmp_path / "bad.nii.gz"
    write_volume(path, data, changes.get("affine", np.eye(4)))
    for sources, role in (((path, scans[1]), "moving"), ((scans[0], path), "fixed")):
        with pytest.raises(DataError, match=f"{role} image .*bad.nii.gz: .*{said}"):
            hipreg.register(*sources, SMALL)


def test_impossible_device_is_said(scans: tuple[Path, Path]) -> None:
    with pytest.raises(ValueError, match="device 'warp' cannot be used"):
        hipreg.register(*scans, SMALL, options=hipreg.Options(device="warp"))
