"""Compiling the kernels, and doing without."""

from __future__ import annotations

import ctypes
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hipreg.native import build
from tests.helpers import skip_or_fail

library = build.library.__wrapped__


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if shutil.which("cc") is None:
        skip_or_fail("no C compiler, so there are no kernels to compile")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "hipreg"


def kept(cache: Path) -> list[Path]:
    return sorted(cache.iterdir())


def test_kernels_are_compiled_once_and_loaded_from_the_cache(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert library() is not None
    (path,) = kept(empty_cache)
    monkeypatch.setattr(build, "_compile", lambda *_: pytest.fail("compiled again"))
    assert library() is not None
    assert kept(empty_cache) == [path]


def test_changed_sources_are_compiled_anew(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library()
    sources = build._sources()
    monkeypatch.setattr(build, "FLAGS", (*build.FLAGS, "-DOTHER"))
    assert library() is not None
    assert len(kept(empty_cache)) == 2
    assert sources


def test_two_processes_compile_at_once_without_harm(empty_cache: Path) -> None:
    code = "from hipreg.native import build; raise SystemExit(build.library() is None)"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    assert len(kept(empty_cache)) == 1


def test_a_damaged_file_in_the_cache_is_replaced(
    empty_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    code = "from hipreg.native import build; raise SystemExit(build.library() is None)"
    subprocess.run([sys.executable, "-c", code], check=True)
    (path,) = kept(empty_cache)
    path.write_bytes(b"no library")
    caplog.set_level(logging.INFO)
    assert isinstance(library(), ctypes.CDLL)
    assert "compiling it anew" in caplog.text


def test_without_a_compiler_one_message_says_what_helps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert library() is None
    (message,) = [record.message for record in caplog.records]
    assert "no C compiler" in message
    assert "apt install gcc" in message


def test_a_compiler_that_fails_is_told_and_done_without(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, empty_cache: Path
) -> None:
    monkeypatch.setenv("CC", "false")
    assert library() is None
    assert "false failed" in caplog.text
    assert kept(empty_cache) == []


def test_a_compiler_without_openmp_is_used_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler = tmp_path / "plain-cc"
    compiler.write_text(
        '#!/bin/sh\nfor word in "$@"; do test "$word" = -fopenmp && exit 1; done\n'
        f'exec {shutil.which("cc")} "$@"\n'
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    assert library() is not None


def test_a_cache_that_cannot_be_written_is_done_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert library() is not None


def test_the_switch_turns_kernels_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(build.SWITCH, "0")
    assert library() is None
    assert not caplog.records
