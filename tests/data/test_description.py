"""Descriptions: another data set is one file, whatever its size, labels and window."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hipreg.data import (
    FixedWindow,
    PercentileWindow,
    datasets,
    describe,
    known_datasets,
    load_cohort,
    pairs_for,
    splits_for,
    synthetic_case,
)
from hipreg.data.io import write_volume
from hipreg.data.preprocess import IN_SCAN_MINIMUM

ABDOMEN = """
from hipreg.data.description import DatasetDescription, FixedWindow, Layout, LayoutPart
from hipreg.data.pairs import all_pairs

DESCRIPTION = DatasetDescription(
    name="abdomen",
    title="Abdominal CT",
    labels={1: "spleen", 2: "kidney", 3: "liver", 4: "stomach", 5: "aorta"},
    size=(24, 20, 32),
    spacing=2.0,
    intensity=FixedWindow(-160, 240),
    pair_rule=all_pairs,
    layouts=(
        Layout(
            name="challenge",
            folder="AbdomenCTCT",
            parts=(LayoutPart(("img",), "label", "img{number:04d}"),),
        ),
    ),
    download="Download it.",
)
"""

ORGANS = """
from hipreg.data.description import DatasetDescription, PercentileWindow, SyntheticSource

DESCRIPTION = DatasetDescription(
    name="organs",
    title="Five organs",
    labels={1: "a", 2: "b", 3: "c", 4: "d", 5: "e"},
    size=(20, 28, 24),
    spacing=1.0,
    intensity=PercentileWindow(),
    synthetic=SyntheticSource(train=4, selection=2, val=3, seed=1),
)
"""


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more description files beside the built-in ones, and nothing else."""
    folder = tmp_path / "datasets"
    folder.mkdir()
    (folder / "abdomen.py").write_text(ABDOMEN)
    (folder / "organs.py").write_text(ORGANS)
    monkeypatch.setattr(datasets, "__path__", [*datasets.__path__, str(folder)])
    for name in ("abdomen", "organs"):
        # So that neither outlives the test.
        monkeypatch.delitem(sys.modules, f"hipreg.data.datasets.{name}", False)


@pytest.mark.usefixtures("added")
def test_data_set_of_another_size_and_5_labels_needs_only_its_file(tmp_path: Path) -> None:
    root = tmp_path / "AbdomenCTCT"
    for number in (2, 7, 9):
        case = synthetic_case(0, number, size=(24, 20, 32), n_labels=5)
        image, label = case.scan()
        units = np.round(image * 400 - 160).astype(np.int16)
        units[12, 10, 16] = 3000
        affine = np.diag([2.0, 2.0, 2.0, 1.0])
        write_volume(root / "img" / f"img{number:04d}.nii.gz", units, affine)
        write_volume(root / "label" / f"img{number:04d}.nii.gz", label, affine)
    cohort = load_cohort("abdomen", data_dir=tmp_path)
    assert cohort.cases == (2, 7, 9)
    assert cohort.size == (24, 20, 32)
    assert set(np.unique(cohort.labels)) == set(range(6))
    scan = cohort.images[0][cohort.images[0] > 0]
    assert scan.min() >= np.float32(IN_SCAN_MINIMUM)
    assert cohort.images[0, 12, 10, 16] == 1
    image = synthetic_case(0, 2, size=(24, 20, 32), n_labels=5).scan()[0]
    np.testing.assert_allclose(np.median(scan), np.median(image[image > 0]), atol=0.01)
    assert cohort.description.pair_rule([2, 7, 9]) == [(2, 7), (2, 9), (7, 9)]


@pytest.mark.usefixtures("added")
def test_synthetic_data_set_of_another_size_and_5_labels_needs_only_its_file() -> None:
    cohort = load_cohort("organs")
    splits = splits_for(cohort.description)
    assert len(cohort) == 7
    assert cohort.size == (20, 28, 24)
    assert all(set(np.unique(label)) == set(range(6)) for label in cohort.labels)
    assert len(splits.fit) == len(splits.selection) == 2
    for split in ("selection", "val"):
        assert all(
            cohort.index(case) >= 0 for p in pairs_for(cohort.description, split) for case in p
        )


def test_unknown_data_set_lists_the_known() -> None:
    with pytest.raises(
        ValueError, match="unknown data set 'liver'; known: hippocampus, synthetic"
    ):
        describe("liver")


@pytest.mark.parametrize("name", known_datasets())
def test_every_description_is_called_like_its_file(name: str) -> None:
    description = describe(name)
    assert description.name == name
    assert description.layouts or description.synthetic
    assert bool(description.download) == bool(description.layouts)


def test_hippocampus_is_described_as_in_the_challenge() -> None:
    description = describe("hippocampus")
    assert dict(description.labels) == {1: "anterior", 2: "posterior"}
    assert description.size == (64, 64, 64)
    assert description.spacing == 1.0


def test_impossible_descriptions_are_errors() -> None:
    good = describe("synthetic")
    with pytest.raises(ValueError, match="1 to 255"):
        replace(good, labels={0: "background"})
    with pytest.raises(ValueError, match="size"):
        replace(good, size=(64, 64, 0))
    with pytest.raises(ValueError, match="spacing"):
        replace(good, spacing=0.0)
    with pytest.raises(ValueError, match="lower < upper"):
        PercentileWindow(99, 1)
    with pytest.raises(ValueError, match="lower < upper"):
        FixedWindow(240, -160)
