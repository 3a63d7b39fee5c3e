"""Brain images of any orientation become crops of one orientation."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from hipreg.data import find_brains
from hipreg.data.brain_crops import (
    HIPPOCAMPUS_MNI,
    crop_affine,
    crop_at,
    crop_pairs,
    description_of,
    hippocampi,
    prepared_crops,
    random_places,
)
from hipreg.data.brains import Brain, locate_brain, read_brain
from hipreg.data.frame import label_on_frame
from hipreg.data.io import DataError, DataNotFoundError
from hipreg.data.scan import volume_of
from tests.data.heads import BRAIN, LIA, coarse_affine, head, write_head
from tests.helpers import skip_or_fail

LEFT, RIGHT = hippocampi()
DESCRIPTION = description_of("folder")


def coarse_head(axes: str, edges: tuple[float, float, float] = (2.0, 2.0, 2.0), **options: object):  # type: ignore[no-untyped-def]
    affine, shape = coarse_affine(axes, edges)
    return volume_of(head(shape, affine, **options), affine)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def oasis3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects as FreeSurfer leaves OASIS-3: 256^3 voxels of 1 mm, LIA, not centred."""
    root = tmp_path_factory.mktemp("oasis3")
    for subject, shift in (("OAS30001_MR_d0129", (5, -9, 14)), ("OAS30002_MR_d0653", (-6, 8, 0))):
        write_head(root / subject / "mri" / "orig.mgz", LIA, (256, 256, 256), shift=shift)
    (root / "OAS30001_MR_d0757" / "mri").mkdir(parents=True)
    (root / "OAS30001_MR_d0757" / "mri" / "orig.mgz").write_bytes(b"a later session")
    return root


def slopes(crop: np.ndarray) -> list[float]:  # type: ignore[type-arg]
    """Mean change of intensity along each axis in the middle of a crop."""
    middle = crop[20:44, 20:44, 20:44]
    return [float(np.diff(middle, axis=axis).mean()) for axis in range(3)]


def test_oasis3_crops_have_the_orientation_of_the_task(oasis3: Path, tmp_path: Path) -> None:
    brains = find_brains(oasis3, "oasis3")
    assert [brain.subject for brain in brains] == ["OAS30001", "OAS30002"]
    cohort = prepared_crops(brains, hippocampi(), layout="oasis3", cache_dir=tmp_path)
    assert cohort.images.shape == (4, 64, 64, 64)
    assert not cohort.labels.any()
    for number, crop in enumerate(cohort.images):
        right, front, up = slopes(crop)
        # To the right it gets brighter, but for what was mirrored.
        assert (right > 0) == (number % 2 == 0)
        assert front > 0
        assert up > 0
    # The same head at another place of its image gives the same crop, up to the 3 mm that its
    # brain was looked for with.
    assert np.abs(cohort.images[0] - cohort.images[2]).mean() < 0.08


def test_prepared_crops_are_read_once(
    oasis3: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brains = find_brains(oasis3, "oasis3")[:1]
    first = prepared_crops(brains, [LEFT], layout="oasis3", cache_dir=tmp_path)
    monkeypatch.setattr("hipreg.data.brain_crops.read_brain", lambda path: pytest.fail("read"))
    again = prepared_crops(brains, [LEFT], layout="oasis3", cache_dir=tmp_path)
    assert first.fingerprint == again.fingerprint
    assert np.array_equal(first.images, again.images)


@pytest.mark.parametrize(
    ("axes", "edges"), [("LPS", (2, 2, 2)), ("PIR", (2, 2, 2)), ("ASL", (1.5, 2.0, 3.0))]
)
def test_orientation_and_voxel_size_change_no_crop(
    axes: str, edges: tuple[float, float, float]
) -> None:
    crops = []
    for volume in (coarse_head("RAS"), coarse_head(axes, edges)):
        crops.append(crop_at(volume, locate_brain(volume), RIGHT, DESCRIPTION))
    assert np.abs(crops[0] - crops[1]).mean() < 0.04


@pytest.mark.parametrize("stripped", [False, True])
def test_the_brain_is_found_with_and_without_its_skull(stripped: bool) -> None:
    box = locate_brain(coarse_head("LIA", stripped=stripped, shift=(4.0, -6.0, 3.0)))
    assert box.width == pytest.approx(2 * BRAIN[0], abs=10)
    assert box.length == pytest.approx(2 * BRAIN[1], abs=10)
    top_of_the_middle = box.point(0.0, 0.5, 0.0)
    assert top_of_the_middle == pytest.approx([4.0, -6.0, 3.0 + BRAIN[2]], abs=6)


def test_places_are_mirror_images_and_lie_inside(tmp_path: Path) -> None:
    assert LEFT.right == -RIGHT.right
    assert (LEFT.mirrored, RIGHT.mirrored) == (False, True)
    places = random_places(20, seed=3)
    assert places == random_places(20, seed=3) != random_places(20, seed=4)
    assert all(abs(p.right) < 0.3 and 0.2 < p.forward < 0.8 for p in places)


def test_what_was_stripped_counts_as_not_covered() -> None:
    volume = coarse_head("RAS", stripped=True)
    crop = crop_at(volume, locate_brain(volume), LEFT, DESCRIPTION)
    assert (crop == 0).any()
    assert (crop > 0).mean() > 0.5


def test_pairs_are_two_subjects_at_one_place() -> None:
    pairs = crop_pairs([0, 2, 3, 5, 6], 2, most=20)
    assert len(pairs) == 8
    for fixed, moving in pairs:
        assert (fixed - 1) // 2 != (moving - 1) // 2
        assert (fixed - 1) % 2 == (moving - 1) % 2
    assert len(crop_pairs(range(100), 2, most=20)) == 20


def test_oasis1_takes_one_image_a_subject(tmp_path: Path) -> None:
    for folder, name in (
        ("OASIS_OAS1_0001_MR1", "orig"),
        ("OASIS_OAS1_0001_MR1", "norm"),
        ("OASIS_OAS1_0001_MR2", "norm"),
        ("OASIS_OAS1_0002_MR1", "orig"),
        ("OASIS_OAS1_0003_MR1", "seg35"),
    ):
        path = tmp_path / folder / f"{name}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = find_brains(tmp_path, "oasis1")
    assert [(b.subject, b.path.parent.name[-3:], b.path.name) for b in found] == [
        ("OAS1_0001", "MR1", "norm.nii.gz"),
        ("OAS1_0002", "MR1", "orig.nii.gz"),
    ]


def test_any_folder_is_searched_by_pattern(tmp_path: Path) -> None:
    for name in ("a/x_T1w.nii.gz", "b/y_T1w.mgz", "b/y_T2w.nii", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert len(find_brains(tmp_path, "folder")) == 3
    found = find_brains(tmp_path, "folder", pattern="*T1w*")
    assert [brain.subject for brain in found] == ["a/x_T1w", "b/y_T1w"]
    with pytest.raises(DataNotFoundError, match=r"no brain images named like \*flair"):
        find_brains(tmp_path, "folder", pattern="*flair*")


@pytest.mark.parametrize("layout", ["oasis3", "oasis1", "folder"])
def test_empty_and_missing_folders_say_what_was_expected(tmp_path: Path, layout: str) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataNotFoundError, match=str(folder)):
            find_brains(folder, layout)


def bad(kind: str, path: Path) -> Path:
    data = np.random.default_rng(0).uniform(1, 9, (8, 8, 8)).astype(np.float32)
    affine = np.eye(4)
    if kind == "4D":
        data = np.stack([data, data], axis=3)
    if kind == "nan affine":
        affine[0, 3] = np.nan
    image = nibabel.Nifti1Image(data, affine)
    if kind == "no affine":
        image.set_sform(None, code=0)
        image.set_qform(None, code=0)
    image.to_filename(path)
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:200])
    if kind == "zero affine":  # nibabel would not write it
        content = bytearray(gzip.decompress(path.read_bytes()))
        content[280:328] = bytes(48)
        path.write_bytes(gzip.compress(bytes(content)))
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("4D", "4D file"),
        ("nan affine", "correct its affine"),
        ("zero affine", "correct its affine"),
        ("no affine", "where its axes point"),
        ("truncated", "truncated or damaged"),
        ("small", "is it a head"),
    ],
)
def test_bad_images_are_named_with_what_is_wrong(tmp_path: Path, kind: str, message: str) -> None:
    brains = [Brain("bad", bad(kind, tmp_path / "bad.nii.gz"))]
    with pytest.raises(DataError, match=message) as raised:
        prepared_crops(brains, [LEFT], layout="folder", cache_dir=tmp_path / "cache")
    assert str(tmp_path / "bad.nii.gz") in str(raised.value)
    assert not list((tmp_path / "cache").glob("folder-*"))


def test_a_damaged_mgz_is_named(tmp_path: Path) -> None:
    path = tmp_path / "orig.mgz"
    path.write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"orig\.mgz"):
        prepared_crops([Brain("a", path)], [LEFT], layout="folder", cache_dir=tmp_path)


@pytest.fixture(scope="module")
def brains_folder(real_data: Path) -> Path:
    folder = real_data / "brains"
    if not folder.is_dir():
        skip_or_fail(f"{folder} is not there")
    return folder


def test_crops_of_a_labelled_brain_hold_both_hippocampi_whole(brains_folder: Path) -> None:
    stored = np.load(brains_folder / "test_scan.npz")
    # A crop of FreeSurfer's conformed space, whose axes point to the left, down and to the front.
    volume = volume_of(stored["vol"], LIA)
    box = locate_brain(volume)
    for place, value in ((LEFT, 17), (RIGHT, 53)):
        label = volume_of((stored["seg"] == value).astype(np.int16), LIA)
        to_world = crop_affine(volume, box, place, DESCRIPTION, DESCRIPTION.size)
        crop = label_on_frame(label, to_world, DESCRIPTION.size)
        assert np.count_nonzero(crop) == np.count_nonzero(label.data)
        where = np.argwhere(crop)
        assert where.min() >= 4
        assert where.max() <= 59
        # As in the task: its two ends bend to the side that the right is on.
        slices = [np.argwhere(crop[:, y])[:, 0] for y in range(64) if crop[:, y].sum() > 15]
        bend = np.polyfit(np.arange(len(slices)), [x.mean() for x in slices], 2)[0]
        assert bend > 0.01


def test_the_atlas_position_is_found_again_in_the_template(brains_folder: Path) -> None:
    volume = read_brain(brains_folder / "spm152.nii.gz")
    right, anterior, superior = HIPPOCAMPUS_MNI
    found = locate_brain(volume).point(RIGHT.right, RIGHT.forward, RIGHT.below)
    assert found == pytest.approx([right, anterior, superior], abs=4)


@pytest.mark.parametrize("name", ["chris_t1.nii.gz", "MR_Gd.nii.gz"])
def test_real_heads_give_filled_crops(brains_folder: Path, name: str) -> None:
    volume = read_brain(brains_folder / name)
    box = locate_brain(volume)
    assert 120 < box.width < 150  # brain and not scalp
    for place in (LEFT, RIGHT):
        crop = crop_at(volume, box, place, DESCRIPTION)
        assert (crop > 0).mean() > 0.6
        assert 0.1 < crop[crop > 0].std() < 0.4
