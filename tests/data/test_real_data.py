"""The real hippocampus MRI, where it is there."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from hipreg.data import Cohort, load_cohort, pairs_for, splits_for, tight_size
from hipreg.data.convert import convert_layout
from hipreg.data.layouts import list_cases
from hipreg.data.load import find_data

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cohort(real_data: Path, cache_dir: Path) -> Cohort:
    return load_cohort(data_dir=real_data, cache_dir=cache_dir)


def test_every_labelled_case_of_the_splits_is_there(cohort: Cohort) -> None:
    splits = splits_for(cohort.description)
    rows = cohort.indices([*splits.train, *splits.val])
    assert len(rows) == 260
    assert all(cohort.labelled[row] for row in rows)


def test_prepared_cases_load_within_a_second(
    cohort: Cohort, real_data: Path, cache_dir: Path
) -> None:
    began = time.perf_counter()
    again = load_cohort(data_dir=real_data, cache_dir=cache_dir)
    total = float(again.images.sum())
    assert time.perf_counter() - began < 1
    assert total > 0
    assert again.fingerprint == cohort.fingerprint


def test_nothing_is_lost_and_intensities_are_normalised(cohort: Cohort) -> None:
    assert tight_size(cohort) == (48, 64, 48)
    for image, label, placement in zip(
        cohort.images, cohort.labels, cohort.placements, strict=True
    ):
        assert np.count_nonzero(image) == np.prod(placement.original_size)
        assert set(np.unique(label)) == {0, 1, 2}
        assert image.max() == 1
        assert 0.4 < np.median(image[image > 0]) < 0.7


def test_unregistered_dice_is_that_of_the_challenge(cohort: Cohort) -> None:
    means = []
    for fixed, moving in pairs_for(cohort.description, "val"):
        a, b = cohort.labels[cohort.index(fixed)], cohort.labels[cohort.index(moving)]
        means.append(
            np.mean(
                [
                    2 * ((a == k) & (b == k)).sum() / ((a == k).sum() + (b == k).sum())
                    for k in (1, 2)
                ]
            )
        )
    assert np.mean(means) == pytest.approx(0.568, abs=0.002)
    assert np.quantile(means, 0.3) == pytest.approx(0.499, abs=0.002)


def test_another_layout_gives_the_same_prepared_data(
    cohort: Cohort, real_data: Path, tmp_path: Path
) -> None:
    found = find_data(cohort.description, real_data)
    few = tmp_path / "few" / found.path.name
    files = [case for case in list_cases(found)[0] if case.label][::20]
    for path in (path for case in files for path in (case.image, case.label) if path):
        link = few / path.relative_to(found.path)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    for name in ("decathlon", "learn2reg2020", "learn2reg_v2"):
        source = find_data(cohort.description, few)
        made = convert_layout(source, tmp_path / f"to {name}", cohort.description, name)
        again = load_cohort(data_dir=made.path, cache_dir=tmp_path / "cache")
        rows = cohort.indices(again.cases)
        assert len(rows) == len(files)
        np.testing.assert_array_equal(again.images, cohort.images[rows])
        np.testing.assert_array_equal(again.labels, cohort.labels[rows])
