"""Submissions: written whole, and every fault of one named."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hipreg.data import CasePair, describe, pairs_for
from hipreg.evaluation.fields import field_bytes, field_name
from hipreg.evaluation.found import found_fields
from hipreg.evaluation.submission import (
    Form,
    expected_files,
    from_todays_number,
    to_todays_number,
    todays_name,
    write_submission,
)
from hipreg.evaluation.validation import validate_submission

PAIRS = [CasePair(311, 394), CasePair(394, 311)]
SIZE = (64, 64, 64)


def displacement(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).uniform(-3, 3, (3, 4, 4, 4)).astype(np.float32)
    return coarse.repeat(16, 1).repeat(16, 2).repeat(16, 3)


def written(tmp_path: Path, form: Form = "2020", *, other_tasks: bool = False) -> Path:
    fields = [(pair, displacement(pair.fixed)) for pair in PAIRS]
    path = tmp_path / f"{form}.zip"
    return write_submission(path, fields, PAIRS, form=form, other_tasks=other_tasks)


def faults_of(path: Path, form: Form = "2020", *, other_tasks: bool = False) -> dict[str, str]:
    found = validate_submission(path, form, PAIRS, other_tasks=other_tasks)
    return {fault.name: fault.message for fault in found}


def unpacked(path: Path) -> Path:
    folder = path.with_suffix("")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


def test_numbers_of_the_second_release_are_those_of_its_public_pairs() -> None:
    pairs = pairs_for(describe("hippocampus"), "val")
    assert todays_name(pairs[0]) == "disp_0201_0000_0260_0000"
    assert todays_name(pairs[10]) == "disp_0211_0000_0250_0000"
    test = pairs_for(describe("hippocampus"), "test")
    assert todays_name(test[0]) == "disp_0261_0000_0390_0000"
    for case in (1, 310, 311, 394, 2):
        assert from_todays_number(to_todays_number(case)) == case
    with pytest.raises(ValueError, match="case 31 is not"):
        to_todays_number(31)
    with pytest.raises(ValueError, match="1 to 390"):
        from_todays_number(391)


def test_submission_of_2020_has_the_four_tasks_at_their_shapes() -> None:
    pairs = pairs_for(describe("hippocampus"), "val")
    expected = expected_files("2020", pairs)
    shapes = {item.task: item.shape for item in expected.values()}
    assert shapes == {
        "task_01": (3, 128, 128, 144),
        "task_02": (3, 96, 96, 104),
        "task_03": (3, 96, 80, 128),
        "task_04": (3, 64, 64, 64),
    }
    counts = [sum(name.startswith(task) for name in expected) for task in sorted(shapes)]
    assert counts == [7, 3, 45, 60]
    assert "task_01/disp_0003_0003.npz" in expected
    assert "task_03/disp_0035_0038.npz" in expected
    assert "task_04/disp_0311_0394.npz" in expected


def test_written_submissions_have_no_fault_and_read_back(tmp_path: Path) -> None:
    for form, tolerance in (("2020", 1 / 512), ("today", 0)):
        path = written(tmp_path, form)  # type: ignore[arg-type]
        assert faults_of(path, form) == {}  # type: ignore[arg-type]
        assert faults_of(unpacked(path), form) == {}  # type: ignore[arg-type]
        found = {item.pair: item.displacement for item in found_fields(path)}
        assert set(found) == set(PAIRS)
        for pair, field in found.items():
            np.testing.assert_allclose(field, displacement(pair.fixed), atol=tolerance)


def test_other_tasks_are_and_must_be_zero_half_precision_fields(tmp_path: Path) -> None:
    path = written(tmp_path, other_tasks=True)
    with zipfile.ZipFile(path) as archive:
        with np.load(io.BytesIO(archive.read("task_02/disp_0001_0001.npz"))) as content:
            field = content["arr_0"]
        assert archive.testzip() is None
    assert (field.dtype, field.shape) == (np.float16, (3, 96, 96, 104))
    assert not field.any()
    # The evaluation of the hippocampus passes them over.
    assert len(list(found_fields(path))) == 2
    # Without being asked for, they do not belong.
    assert "task_01/disp_0003_0003.npz" in faults_of(path)
    folder = unpacked(path)
    assert faults_of(folder, other_tasks=True) == {}
    name = "task_02/disp_0001_0001.npz"
    (folder / name).write_bytes(saved(arr_0=np.ones((3, 96, 96, 104), np.float16)))
    assert list(faults_of(folder, other_tasks=True)) == [name]


def test_equal_fields_are_equal_files(tmp_path: Path) -> None:
    first = written(tmp_path).read_bytes()
    assert written(tmp_path).read_bytes() == first


NAME = "task_04/disp_0311_0394.npz"


def saved(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def with_nan() -> np.ndarray:
    field = np.zeros((3, *SIZE), np.float16)
    field[0, 1, 2, 3] = np.nan
    field[1, 1, 2, 3] = np.inf
    return field


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: saved(arr_0=np.zeros((3, 32, 32, 32), np.float16)), r"shape \(3, 32, 32, 32\)"),
        (lambda: saved(arr_0=np.zeros((*SIZE, 3), np.float16)), r"shape \(64, 64, 64, 3\)"),
        (lambda: saved(arr_0=np.zeros((3, *SIZE), np.float32)), "type float32; expected float16"),
        (lambda: saved(arr_0=np.zeros((3, *SIZE), np.int16)), "type int16"),
        (lambda: saved(arr_0=with_nan()), "2 values that are nan or infinite"),
        (lambda: saved(field=np.zeros((3, *SIZE), np.float16)), "called field"),
        (lambda: saved(arr_0=np.zeros(2), arr_1=np.zeros(2)), "exactly one array"),
        (lambda: field_bytes(displacement(1))[:-300], "not a displacement field"),
        (lambda: b"", "not a displacement field"),
        (lambda: saved(arr_0=np.zeros((3, *SIZE), object)), "not a displacement field"),
        (lambda: b"x" * 7_000_000, "7,000,000 bytes; expected at most"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_faulty_field_is_named_with_what_is_wrong(
    tmp_path: Path, content: Callable[[], bytes], said: str
) -> None:
    folder = unpacked(written(tmp_path))
    (folder / NAME).write_bytes(content())
    faults = faults_of(folder)
    assert list(faults) == [NAME]
    assert re.search(said, faults[NAME])


def test_missing_extra_and_misnamed_files_are_all_named(tmp_path: Path) -> None:
    folder = unpacked(written(tmp_path))
    (folder / NAME).rename(folder / "task_04" / "disp_311_394.npz")
    (folder / "task_04" / "disp_0394_0311.npz").unlink()
    (folder / "notes.txt").write_text("hello")
    (folder / "task_04" / ".DS_Store").write_text("")
    faults = faults_of(folder)
    assert faults == {
        NAME: "missing",
        "task_04/disp_0394_0311.npz": "missing",
        "task_04/disp_311_394.npz": f"extra file; misnamed, is it {NAME}?",
        "notes.txt": "extra file; it does not belong here",
        "task_04/.DS_Store": "extra file; delete it",
    }


def test_field_there_with_two_endings_is_a_fault_today(tmp_path: Path) -> None:
    folder = unpacked(written(tmp_path, "today"))
    twice = folder / f"{todays_name(PAIRS[0])}.npz"
    twice.write_bytes(saved(arr_0=np.zeros((*SIZE, 3), np.float32)))
    assert all("two endings" in text for text in faults_of(folder, "today").values())
    assert len(faults_of(folder, "today")) == 2
    (folder / f"{todays_name(PAIRS[0])}.nii.gz").unlink()
    assert faults_of(folder, "today") == {}


def test_form_of_2020_is_no_form_of_today(tmp_path: Path) -> None:
    assert len(faults_of(written(tmp_path), "today")) == 4
    with pytest.raises(ValueError, match="forms of a submission"):
        expected_files("2019", PAIRS)  # type: ignore[arg-type]


def test_incomplete_or_wrong_submission_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "submission.zip"
    good = [(pair, displacement(1)) for pair in PAIRS]
    for fields, said in (
        (good[:1], "1 of 2 pairs are missing, such as fixed 394, moving 311"),
        ([*good, good[0]], "was there before"),
        ([(CasePair(1, 3), displacement(1))], "does not belong"),
        ([(PAIRS[0], displacement(1)[:, 1:])], r"got a displacement \(3, 63, 64, 64\)"),
        ([(PAIRS[0], displacement(1) * 1e6)], "do not fit into float16"),
        ([(PAIRS[0], displacement(1) * np.nan)], "fixed 311, moving 394: .*finite"),
    ):
        with pytest.raises(ValueError, match=said):
            write_submission(path, fields, PAIRS, other_tasks=False)
    assert list(path.parent.iterdir()) == []


def test_things_that_are_no_submission_are_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.zip").write_bytes(b"no zip")
    with pytest.raises(ValueError, match="no readable zip"):
        faults_of(tmp_path / "odd.zip")
    with pytest.raises(ValueError, match="no such folder or zip"):
        faults_of(tmp_path / "nowhere.zip")
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr(field_name(PAIRS[0]), b"")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(field_name(PAIRS[0]), b"")
    with pytest.raises(ValueError, match="in the zip twice"):
        faults_of(tmp_path / "twice.zip")
