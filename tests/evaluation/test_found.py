"""Fields of anybody, in either form, measured as the challenge's evaluator measures them."""

from __future__ import annotations

import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from hipreg.data import CasePair, Cohort, describe, load_cohort, pairs_for
from hipreg.data.placement import Placement
from hipreg.evaluation import aggregate, evaluate_pairs
from hipreg.evaluation.fields import field_bytes
from hipreg.evaluation.found import field_names, found_fields, jobs_of
from hipreg.evaluation.submission import todays_name
from tests.evaluation import reference

PAIRS = [CasePair(311, 394), CasePair(314, 393)]
SIZE = (12, 11, 10)


def field(seed: int) -> np.ndarray:
    return reference.random_displacement(seed, SIZE, 1.5).astype(np.float16).astype(np.float32)


def cohort() -> Cohort:
    """Four cases of ragged labels in the challenge's numbers."""
    cases = (311, 314, 393, 394)
    labels = np.stack(
        [reference.blob(c, SIZE, -0.3) * (1 + reference.blob(c + 7, SIZE)) for c in cases]
    )
    return Cohort(
        description=describe("hippocampus"),
        cases=cases,
        images=labels.astype(np.float32),
        labels=labels.astype(np.uint8),
        labelled=(True,) * 4,
        placements=(Placement.identity(SIZE),) * 4,
        fingerprint="",
    )


def write(folder: Path, form: str, *, task: str = "", short: bool = False) -> Path:
    (folder / task).mkdir(parents=True, exist_ok=True)
    for pair in PAIRS:
        name = f"disp_{pair.fixed:04d}_{pair.moving:04d}.npz"
        if form == "today":
            name = todays_name(pair) + ".nii.gz"
            name = name.replace("_0000", "") if short else name
        (folder / task / name).write_bytes(field_bytes(field(pair.fixed), form))
    return folder


@pytest.mark.parametrize(
    ("form", "task", "short"),
    [
        ("2020", "", False),
        ("2020", "task_04", False),
        ("2020", "submission/task_04", False),
        ("today", "", False),
        ("today", "", True),
    ],
)
def test_either_form_is_read_wherever_it_lies(
    tmp_path: Path, form: str, task: str, short: bool
) -> None:
    folder = write(tmp_path / "fields", form, task=task, short=short)
    (folder / "README.txt").write_text("hello")
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", folder))
    for path in (folder, archive):
        found = {item.pair: item.displacement for item in found_fields(path)}
        assert sorted(found) == sorted(PAIRS)
        for pair, displacement in found.items():
            np.testing.assert_array_equal(displacement, field(pair.fixed))
            assert displacement.dtype == np.float32


def test_metrics_are_those_of_the_challenges_evaluator(tmp_path: Path) -> None:
    data = cohort()
    rows = evaluate_pairs(jobs_of(write(tmp_path, "2020", task="task_04"), data), (1, 2))
    assert len(rows) == 4
    for row in rows:
        fixed, moving = (data.labels[data.index(case)] for case in (row.fixed, row.moving))
        displacement = field(row.fixed)
        warped = reference.warp_label(moving, displacement)
        masks = fixed == row.label, warped == row.label
        assert row.dice == pytest.approx(reference.dice(*masks), abs=1e-4)
        assert row.hd95 == pytest.approx(reference.hd95(*masks), abs=1e-4)
        wanted = reference.sdlogj(displacement, 3, 1e-9, 1e9)
        assert row.sdlogj == pytest.approx(wanted, abs=1e-4)
        wanted = reference.sdlogj(displacement, 15, 0, 1e9)
        assert row.sdlogj_2020 == pytest.approx(wanted, abs=1e-4)


def test_bad_fields_are_named(tmp_path: Path) -> None:
    name = "disp_0311_0394.npz"
    for array, said in (
        (np.zeros(SIZE), "expected \\(3, D, H, W\\)"),
        (np.zeros((3, *SIZE, 3)), "expected \\(3, D, H, W\\)"),
        (np.zeros((3, *SIZE), np.int32), "type int32"),
        (np.full((3, *SIZE), np.nan), "finite"),
    ):
        np.savez(tmp_path / name, array)
        with pytest.raises(ValueError, match=f"{name}: .*{said}"):
            list(found_fields(tmp_path))
    np.savez(tmp_path / name, np.zeros((3, 5, 5, 5)))
    with pytest.raises(ValueError, match=r"size \(5, 5, 5\), and the cases are \(12, 11, 10\)"):
        list(jobs_of(tmp_path, cohort()))


def test_unknown_cases_and_doubled_pairs_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "disp_0001_0003.npz", np.zeros((3, *SIZE)))
    with pytest.raises(ValueError, match=r"disp_0001_0003\.npz: .*no case 1, 3"):
        list(jobs_of(tmp_path, cohort()))
    (tmp_path / "disp_0001_0003.npz").unlink()
    write(tmp_path, "2020")
    write(tmp_path, "today")
    with pytest.raises(ValueError, match="are both of fixed 311, moving 394"):
        list(found_fields(tmp_path))


def test_folder_without_fields_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.nii.gz").write_bytes(b"")
    with pytest.raises(ValueError, match="no displacement fields of the hippocampus"):
        field_names(tmp_path)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(ValueError, match="no displacement fields"):
        field_names(tmp_path / "empty.zip")


@pytest.mark.real_data
def test_real_pairs_are_measured_as_the_challenges_evaluator_does(
    real_data: Path, tmp_path: Path
) -> None:
    surface_distance: Any = pytest.importorskip("surface_distance")
    data = load_cohort(data_dir=real_data)
    pairs = pairs_for(data.description, "val")[::6]
    rng = np.random.default_rng(0)
    for pair in pairs:
        noise = [ndimage.gaussian_filter(rng.standard_normal((64, 64, 64)), 4) for _ in range(3)]
        displacement = (np.stack(noise) / np.std(noise) * 2).astype(np.float32)
        name = f"disp_{pair.fixed:04d}_{pair.moving:04d}.npz"
        (tmp_path / name).write_bytes(field_bytes(displacement))
    rows = evaluate_pairs(jobs_of(tmp_path, data), (1, 2))
    assert len(rows) == 2 * len(pairs)
    for row in rows:
        fixed, moving = (data.labels[data.index(case)] for case in (row.fixed, row.moving))
        with np.load(tmp_path / f"disp_{row.fixed:04d}_{row.moving:04d}.npz") as content:
            displacement = content["arr_0"].astype(np.float32)
        warped = reference.warp_label(moving, displacement)
        masks = fixed == row.label, warped == row.label
        with warnings.catch_warnings():
            # It calls names that SciPy has deprecated; that is its affair.
            warnings.simplefilter("ignore", DeprecationWarning)
            distances = surface_distance.compute_surface_distances(*masks, np.ones(3))
        wanted = surface_distance.compute_robust_hausdorff(distances, 95.0)
        assert row.hd95 == pytest.approx(wanted, abs=1e-4)
        wanted = surface_distance.compute_dice_coefficient(*masks)
        assert row.dice == pytest.approx(wanted, abs=1e-4)
        wanted = reference.sdlogj(displacement, 3, 1e-9, 1e9)
        assert row.sdlogj == pytest.approx(wanted, abs=1e-4)
    figures = aggregate(rows)
    means = [np.mean([r.dice for r in rows if r.fixed == pair.fixed]) for pair in pairs]
    assert figures["dice30"] == pytest.approx(np.quantile(means, 0.3), abs=1e-4)
