"""Run folders: one owner each, and no write that a fault leaves half done."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from experiments import run_folder
from experiments.run_folder import AppendLog, copy_file, create_run_folder, run_ids, write_json

ROOT = Path(__file__).resolve().parents[2]


def test_ids_count_up_from_one(tmp_path: Path) -> None:
    assert [create_run_folder(tmp_path / "runs")[0] for _ in range(3)] == [1, 2, 3]


def test_next_id_follows_the_highest_and_ignores_other_names(tmp_path: Path) -> None:
    for name in ("7", "notes", "9x", ".10"):
        (tmp_path / name).mkdir()
    (tmp_path / "8").touch()  # a file is no run, but its name is taken
    assert run_ids(tmp_path) == [7]
    assert create_run_folder(tmp_path)[0] == 9


def test_taken_id_is_refused(tmp_path: Path) -> None:
    create_run_folder(tmp_path, 4)
    with pytest.raises(FileExistsError):
        create_run_folder(tmp_path, 4)


def test_eight_processes_at_once_get_eight_folders_each(tmp_path: Path) -> None:
    # A spinning start gun, so that all of them are awake when the first folder is made.
    code = (
        "import sys; from pathlib import Path\n"
        "from experiments.run_folder import create_run_folder\n"
        "root = Path(sys.argv[1]); print(flush=True)\n"
        "while not (root / 'go').exists(): pass\n"
        "print(*[create_run_folder(root / 'runs')[0] for _ in range(8)])"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    (tmp_path / "go").touch()
    ids = [int(word) for process in processes for word in process.communicate()[0].split()]
    assert sorted(ids) == list(range(1, 65))
    assert run_ids(tmp_path / "runs") == sorted(ids)


def test_document_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, {"status": "RUNNING"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"status": float("nan")})
    assert json.loads(path.read_text()) == {"status": "RUNNING"}
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_file_copied_onto_itself_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(b"weights")
    copy_file(path, path)
    assert path.read_bytes() == b"weights"


def test_copy_of_a_missing_file_raises_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_file(tmp_path / "none", tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


def test_lines_that_did_not_fit_wait_for_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / run_folder.METRICS
    log = AppendLog(path)
    log.append([{"step": 0}])
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", _opening_a_full_disk(Path.open))
        with pytest.raises(OSError, match="No space"):
            log.append([{"step": 1}])
    assert path.read_text() == '{"step":0}\n'
    log.append([{"step": 2}])
    assert path.read_text() == '{"step":0}\n{"step":1}\n{"step":2}\n'


def _opening_a_full_disk(real_open: Any) -> Any:
    def open_path(path: Path, *args: Any, **kwargs: Any) -> Any:
        file = real_open(path, *args, **kwargs)
        return _FullDisk(file)

    return open_path


class _FullDisk:
    """A file on a disk that takes three more bytes."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._free = 3

    def __enter__(self) -> _FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, block: bytes) -> int:
        if not self._free:
            raise OSError(errno.ENOSPC, "No space left on device")
        free, self._free = self._free, 0
        return int(self._file.write(block[:free]))
