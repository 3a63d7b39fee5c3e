"""Files that are never seen half written."""

from __future__ import annotations

from pathlib import Path

import pytest

from hipreg.files import replacing, space_left


def test_the_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with replacing(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_keeps_the_old_content_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as part:
            part.write_text("ha")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_are_as_readable_as_others(tmp_path: Path) -> None:
    with replacing(tmp_path / "file.txt") as part:
        part.write_text("text")
    (tmp_path / "other.txt").write_text("text")
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_space_is_told_of_the_disk_that_a_path_will_lie_on(tmp_path: Path) -> None:
    words = space_left(tmp_path / "not" / "there.txt")
    mount = Path(words.rpartition(" on ")[2])
    assert mount.is_mount()
    assert tmp_path.is_relative_to(mount)
    assert words == space_left(mount)
