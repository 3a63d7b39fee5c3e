"""The prepared cache: keyed, atomic, shared by processes, and mended when damaged."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hipreg.data import PercentileWindow, describe, find_data, load_cohort
from hipreg.data.cache import prepared_cohort
from hipreg.data.cohort import Cohort
from hipreg.data.description import FixedWindow
from hipreg.data.prepare import main
from tests.data.helpers import random_case, write_case, write_cases


def caches(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


def test_second_load_reads_no_image(decathlon: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_cohort(data_dir=decathlon)

    def fail(path: Path) -> None:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr("hipreg.data.cache.read_volume", fail)
    second = load_cohort(data_dir=decathlon)
    assert isinstance(second.images, np.memmap)
    assert second.images.dtype == np.float32
    assert second.labels.dtype == np.uint8
    assert second.fingerprint == first.fingerprint
    assert second.placements == first.placements
    assert second.labelled == (True, True, True)


def test_changed_source_is_prepared_again(decathlon: Path, tmp_path: Path) -> None:
    first = load_cohort(data_dir=decathlon)
    write_case(decathlon, 3, image=random_case(99)[0])
    second = load_cohort(data_dir=decathlon)
    assert second.fingerprint != first.fingerprint
    assert not np.array_equal(second.images[1], first.images[1])
    assert len(caches(tmp_path)) == 2


def test_added_case_is_prepared(decathlon: Path) -> None:
    load_cohort(data_dir=decathlon)
    write_case(decathlon, 6)
    assert load_cohort(data_dir=decathlon).cases == (1, 3, 4, 6)


@pytest.mark.parametrize(
    "change",
    [
        {"size": (32, 32, 32)},
        {"spacing": 2.0},
        {"intensity": PercentileWindow(2, 98)},
        {"intensity": FixedWindow(1, 99)},
    ],
)
def test_changed_settings_are_another_cache(
    decathlon: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    description = describe("hippocampus")
    found = find_data(description, decathlon)
    changed = replace(description, **change)  # type: ignore[arg-type]
    first = prepared_cohort(found, description, tmp_path / "cache")
    second = prepared_cohort(found, changed, tmp_path / "cache")
    assert first.fingerprint != second.fingerprint
    assert len(caches(tmp_path)) == 2


def test_nothing_temporary_is_left(decathlon: Path, tmp_path: Path) -> None:
    load_cohort(data_dir=decathlon)
    assert [name for name in caches(tmp_path) if name.startswith(".")] == []


@pytest.mark.parametrize("name", ["images.npy", "labels.npy", "meta.json"])
@pytest.mark.parametrize("keep", [0, 200, None])
def test_damaged_cache_is_prepared_again(
    decathlon: Path, tmp_path: Path, name: str, keep: int | None
) -> None:
    first = np.array(load_cohort(data_dir=decathlon).images)
    (cache,) = (tmp_path / "cache").iterdir()
    if keep is None:
        (cache / name).unlink()
    else:
        (cache / name).write_bytes((cache / name).read_bytes()[:keep])
    np.testing.assert_array_equal(load_cohort(data_dir=decathlon).images, first)
    assert caches(tmp_path) == [cache.name]


def test_leftovers_of_killed_processes_are_removed_when_old(
    decathlon: Path, tmp_path: Path
) -> None:
    old, young = tmp_path / "cache/.old.tmp", tmp_path / "cache/.young.tmp"
    for folder in (old, young):
        folder.mkdir(parents=True)
    day = time.time() - 86400
    os.utime(old, (day, day))
    load_cohort(data_dir=decathlon)
    assert not old.exists()
    assert young.exists()


RACE = """
import sys, time
from pathlib import Path
import hipreg.data.store as store
from hipreg.data import load_cohort
source, ready, go = map(Path, sys.argv[1:])
publish = store._publish
def wait_then_publish(*folders):
    ready.touch()
    while not go.exists():
        time.sleep(0.01)
    publish(*folders)
store._publish = wait_then_publish
cohort = load_cohort(data_dir=source)
print(cohort.fingerprint, float(cohort.images[:].sum()))
"""


def test_two_processes_at_once_get_one_whole_cache(decathlon: Path, tmp_path: Path) -> None:
    """Both build in full and are let go at the same moment, so that both publish."""
    ready = [tmp_path / f"ready{n}" for n in range(2)]
    go = tmp_path / "go"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(decathlon), str(flag), str(go)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for flag in ready
    ]
    try:
        deadline = time.monotonic() + 60
        while not all(flag.exists() for flag in ready):
            assert time.monotonic() < deadline, "the two processes did not get ready"
            assert all(process.poll() is None for process in processes)
            time.sleep(0.02)
        go.touch()
        results = [process.communicate(timeout=60) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.communicate()
    assert [process.returncode for process in processes] == [0, 0], results
    assert results[0][0] == results[1][0]
    assert len(caches(tmp_path)) == 1
    expected = load_cohort(data_dir=decathlon)
    assert results[0][0].split()[0] == expected.fingerprint


def test_spacing_other_than_1_mm_is_resampled_and_said(
    decathlon: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_case(decathlon, 3, affine=np.diag([2.0, 1.0, 1.0, 1.0]))
    cohort = load_cohort(data_dir=decathlon)
    assert "hippocampus_003.nii.gz: resampled from 2 x 1 x 1 mm to 1 mm" in caplog.text
    assert "hippocampus_001" not in caplog.text
    extent = np.argwhere(cohort.images[1] > 0)
    assert (np.ptp(extent, axis=0) + 1).tolist() == [24, 14, 10]
    assert cohort.placements[1].scale == (2.0, 1.0, 1.0)


def test_crop_that_cuts_labels_off_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = write_cases(tmp_path, (1,))
    image, label = random_case(3, (140, 8, 8))
    write_case(root, 3, image=image, label=label)
    cohort = load_cohort(data_dir=root)
    assert "hippocampus_003.nii.gz: larger than (64, 64, 64) voxels" in caplog.text
    assert cohort.images[1].any()


def test_axes_that_differ_between_cases_are_said(
    decathlon: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_case(decathlon, 3, affine=np.diag([-1.0, 1.0, 1.0, 1.0]))
    load_cohort(data_dir=decathlon)
    assert "{'LAS': 1, 'RAS': 2}" in caplog.text


def test_prepare_command_says_what_it_made_or_what_is_wrong(
    decathlon: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        main(["--data-dir", str(decathlon), "--cache-dir", str(tmp_path / "chosen")])
    assert "3 cases (3 with labels)" in caplog.text
    assert (tmp_path / "chosen").exists()
    (decathlon / "labelsTr/hippocampus_003.nii.gz").unlink()
    with pytest.raises(SystemExit, match="missing label"):
        main(["--data-dir", str(decathlon)])
    with pytest.raises(SystemExit, match="unknown data set"):
        main(["--dataset", "liver"])


def test_prepare_runs_as_a_module_without_warnings(decathlon: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "hipreg.data.prepare", "--data-dir", decathlon],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "fingerprint" in done.stderr


def test_cohort_of_a_cache_can_be_cropped_and_selected(decathlon: Path) -> None:
    cohort = load_cohort(data_dir=decathlon)
    small = cohort.crop((16, 16, 16)).select([4, 1])
    assert isinstance(small, Cohort)
    assert small.cases == (4, 1)
    np.testing.assert_array_equal(small.images[1], cohort.images[0][24:40, 24:40, 24:40])
    assert small.placements[1].shift == tuple(s - 24 for s in cohort.placements[0].shift)
