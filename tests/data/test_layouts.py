"""Three layouts of the same cases: recognised, numbered and converted both ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hipreg.data import DataError, DataNotFoundError, describe, find_data, load_cohort
from hipreg.data.convert import convert_layout, main
from hipreg.data.datasets import hippocampus
from hipreg.data.io import read_volume, write_volume
from hipreg.data.layouts import file_name, file_number, to_case, to_number
from tests.data.helpers import random_case, write_case, write_cases

DESCRIPTION = describe("hippocampus")
LAYOUTS = [layout.name for layout in DESCRIPTION.layouts]


def test_v2_numbers_follow_the_sorted_training_then_validation_cases() -> None:
    layout = hippocampus.LEARN2REG_V2
    assert to_case(layout, 1) == 1
    assert to_case(layout, 200) == max(hippocampus.TRAIN) <= 310
    assert to_case(layout, 201) == 311
    assert to_case(layout, 260) == 394
    assert to_number(layout, 394) == 260


@pytest.mark.parametrize("layout", DESCRIPTION.layouts, ids=LAYOUTS)
def test_number_and_case_are_inverse(layout) -> None:  # type: ignore[no-untyped-def]
    for case in (*hippocampus.TRAIN, *hippocampus.VAL, *hippocampus.TEST):
        assert to_case(layout, to_number(layout, case)) == case


def test_unknown_numbers_are_errors() -> None:
    with pytest.raises(ValueError, match="1 to 390, got 391"):
        to_case(hippocampus.LEARN2REG_V2, 391)
    with pytest.raises(ValueError, match="does not hold case 31"):
        to_number(hippocampus.LEARN2REG_V2, 31)


@pytest.mark.parametrize("layout", DESCRIPTION.layouts, ids=LAYOUTS)
def test_file_name_and_number_are_inverse(layout) -> None:  # type: ignore[no-untyped-def]
    part = layout.parts[0]
    assert file_number(part, file_name(part, 42)) == 42
    assert file_number(part, file_name(part, 42).removesuffix(".gz")) == 42
    assert file_number(part, "._" + file_name(part, 42)) is None
    assert file_number(part, file_name(part, 42) + ".part") is None


@pytest.mark.parametrize("to", LAYOUTS)
@pytest.mark.parametrize("inner", [True, False])
def test_layout_is_recognised_in_a_folder_or_its_parent(
    decathlon: Path, tmp_path: Path, to: str, inner: bool
) -> None:
    if to != "decathlon":
        convert_layout(find_data(DESCRIPTION, decathlon), tmp_path / "to", DESCRIPTION, to)
    parent = decathlon.parent if to == "decathlon" else tmp_path / "to"
    layout = next(layout for layout in DESCRIPTION.layouts if layout.name == to)
    found = find_data(DESCRIPTION, parent / layout.folder if inner else parent)
    assert found.layout.name == to
    assert found.path == parent / layout.folder


@pytest.mark.parametrize("to", ["learn2reg2020", "learn2reg_v2"])
def test_prepared_cases_are_the_same_from_every_layout(
    decathlon: Path, tmp_path: Path, to: str
) -> None:
    write_case(decathlon, 2)
    (decathlon / "imagesTs").mkdir()
    (decathlon / "imagesTr/hippocampus_002.nii.gz").rename(
        decathlon / "imagesTs/hippocampus_002.nii.gz"
    )
    (decathlon / "labelsTr/hippocampus_002.nii.gz").unlink()
    found = find_data(DESCRIPTION, decathlon)
    made = convert_layout(found, tmp_path / "to", DESCRIPTION, to)
    first, second = load_cohort(data_dir=decathlon), load_cohort(data_dir=made.path)
    assert first.cases == second.cases == (1, 2, 3, 4)
    assert first.labelled == second.labelled == (True, False, True, True)
    assert first.fingerprint == second.fingerprint
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.labels, second.labels)


@pytest.mark.parametrize("to", ["learn2reg2020", "learn2reg_v2"])
def test_converting_there_and_back_restores_every_file(
    decathlon: Path, tmp_path: Path, to: str
) -> None:
    affine = np.array([[2.0, 0, 0, 5], [0, 1, 0, -3], [0, 0, 1, 9], [0, 0, 0, 1]])
    write_case(decathlon, 6, affine=affine)
    there = convert_layout(find_data(DESCRIPTION, decathlon), tmp_path / "a", DESCRIPTION, to)
    back = convert_layout(there, tmp_path / "b", DESCRIPTION, "decathlon")
    names = sorted(str(path.relative_to(decathlon)) for path in decathlon.rglob("*.gz"))
    assert names == sorted(str(path.relative_to(back.path)) for path in back.path.rglob("*.gz"))
    for name in names:
        before, after = read_volume(decathlon / name), read_volume(back.path / name)
        np.testing.assert_array_equal(before.data, after.data)
        assert before.data.dtype == after.data.dtype
        np.testing.assert_allclose(before.affine, after.affine, atol=1e-5)


def test_padded_layouts_hold_edge_values_around_the_scan(decathlon: Path, tmp_path: Path) -> None:
    found = find_data(DESCRIPTION, decathlon)
    made = convert_layout(found, tmp_path / "to", DESCRIPTION, "learn2reg2020")
    data = read_volume(made.path / "Training/img/hippocampus_001.nii.gz").data
    assert data.shape == (64, 64, 64)
    assert data.min() > 0
    assert (data[0] == data[5]).all()


def test_index_lists_the_converted_files(decathlon: Path, tmp_path: Path) -> None:
    found = find_data(DESCRIPTION, decathlon)
    made = convert_layout(found, tmp_path / "to", DESCRIPTION, "learn2reg_v2")
    text = (made.path / "HippocampusMR_dataset.json").read_text()
    assert '"numTraining": 3' in text
    assert "./labelsTr/HippocampusMR_0003_0000.nii.gz" in text


def test_conversion_never_overwrites(decathlon: Path, tmp_path: Path) -> None:
    found = find_data(DESCRIPTION, decathlon)
    convert_layout(found, tmp_path / "to", DESCRIPTION, "learn2reg_v2")
    with pytest.raises(DataError, match="is there already"):
        convert_layout(found, tmp_path / "to", DESCRIPTION, "learn2reg_v2")


def test_conversion_of_bad_files_names_them_and_leaves_nothing(
    decathlon: Path, tmp_path: Path
) -> None:
    image, label = random_case(6, (70, 14, 10))
    write_case(decathlon, 6, image=image, label=label)
    (decathlon / "imagesTr/hippocampus_003.nii.gz").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        convert_layout(
            find_data(DESCRIPTION, decathlon), tmp_path / "to", DESCRIPTION, "learn2reg_v2"
        )
    assert "hippocampus_003" in str(caught.value)
    assert "hippocampus_006.nii.gz: shape (70, 14, 10)" in str(caught.value)
    assert list((tmp_path / "to").iterdir()) == []


def test_conversion_leaves_out_cases_without_a_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = write_cases(tmp_path / "source", (30, 31, 33))
    found = find_data(DESCRIPTION, source)
    made = convert_layout(found, tmp_path / "to", DESCRIPTION, "learn2reg_v2")
    assert "[31]" in caplog.text
    assert load_cohort(data_dir=made.path).cases == (30, 33)


def test_unknown_layout_is_an_error_that_lists_the_known(decathlon: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"decathlon, learn2reg2020, learn2reg_v2; got 'bids'"):
        convert_layout(find_data(DESCRIPTION, decathlon), tmp_path, DESCRIPTION, "bids")


def test_convert_command_writes_the_layout(decathlon: Path, tmp_path: Path) -> None:
    main([str(decathlon.parent), str(tmp_path / "to"), "--to", "learn2reg_v2"])
    assert (tmp_path / "to/HippocampusMR/imagesTr/HippocampusMR_0001_0000.nii.gz").exists()
    with pytest.raises(SystemExit, match="is there already"):
        main([str(decathlon.parent), str(tmp_path / "to"), "--to", "learn2reg_v2"])


def test_img_pad_alone_serves_for_img(decathlon: Path, tmp_path: Path) -> None:
    found = find_data(DESCRIPTION, decathlon)
    made = convert_layout(found, tmp_path / "to", DESCRIPTION, "learn2reg2020")
    (made.path / "Training/img").rename(made.path / "Training/img_pad")
    assert load_cohort(data_dir=made.path).cases == (1, 3, 4)


def test_macos_twins_and_foreign_files_are_left_out(
    decathlon: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (decathlon / "imagesTr/._hippocampus_001.nii.gz").write_bytes(b"twin")
    write_volume(decathlon / "imagesTr/atlas.nii.gz", random_case(0)[0], np.eye(4))
    assert load_cohort(data_dir=decathlon).cases == (1, 3, 4)
    assert "atlas.nii.gz is left out" in caplog.text
    assert "._hippocampus" not in caplog.text


def test_given_folder_goes_before_the_variable(
    decathlon: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_cases(tmp_path / "other", (7,))
    monkeypatch.setenv("HIPREG_DATA", str(other))
    assert load_cohort(data_dir=decathlon).cases == (1, 3, 4)
    assert load_cohort().cases == (7,)


def test_data_folder_of_the_checkout_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hipreg.data.load.project_root", lambda: tmp_path)
    write_cases(tmp_path / "data", (7,))
    assert load_cohort().cases == (7,)


@pytest.mark.parametrize("exists", [True, False])
def test_no_data_is_one_message_that_says_what_to_do(
    tmp_path: Path, exists: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hipreg.data.load.project_root", lambda: tmp_path)
    if exists:
        (tmp_path / "data").mkdir()
    with pytest.raises(DataNotFoundError) as caught:
        load_cohort()
    message = str(caught.value)
    for part in (
        str(tmp_path / "data"),
        "Task04_Hippocampus/imagesTr/hippocampus_001.nii.gz",
        "http://medicaldecathlon.com",
        "HIPREG_DATA",
        "data_dir",
        "with synthetic",
    ):
        assert part in message


def test_wrong_path_is_never_passed_over_for_other_data(
    decathlon: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIPREG_DATA", str(decathlon))
    with pytest.raises(DataNotFoundError, match="data_dir"):
        load_cohort(data_dir=tmp_path / "typo")
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataError, match="is a file"):
        load_cohort(data_dir=file)
