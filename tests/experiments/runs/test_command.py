"""The command as it is called: in a terminal, in a pipe, in the dark, and quickly."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest

from experiments.runs.command import parser
from experiments.runs.subcommands import SUBCOMMANDS
from tests.experiments.runs.made import Command, make_run, rising

ROOT = Path(__file__).resolve().parents[3]
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|9\d)(?:;\d+)*m")
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(**changes: str) -> dict[str, str]:
    usual = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS")}
    return {**usual, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **changes}


def piped(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "experiments.runs", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
        env=environment(**changes),
    )


def computing(*arguments: str, status: int = 0) -> float:
    """Seconds that the command computes: on a busy machine it also waits, for others."""
    before = os.times()
    assert piped(*arguments).returncode == status
    after = os.times()
    spent = after.children_user + after.children_system
    return spent - before.children_user - before.children_system


def in_terminal(columns: int, *arguments: str, changes: Mapping[str, str] | None = None) -> str:
    """What the command writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.runs", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment(**(changes or {})),
    )
    os.close(theirs)
    written = b""
    try:
        while block := os.read(ours, 65536):
            written += block
    except OSError:  # Linux's end of a terminal that nobody holds any more
        pass
    finally:
        os.close(ours)
    assert process.wait(timeout=300) == 0, written
    return written.decode().replace("\r\n", "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_run(tmp_path, metrics=rising(10), result=0.8, config={"name": "tight no_augmentation"})
    make_run(tmp_path, metrics=rising(3), status="FAILED", fail_trace=["ValueError: no\n"])
    return tmp_path


@pytest.mark.parametrize("columns", [40, 80, 160])
@pytest.mark.parametrize("subcommand", ["list", "show 2", "compare 1 2"])
def test_no_line_is_wider_than_the_terminal(root: Path, columns: int, subcommand: str) -> None:
    shown = in_terminal(columns, "-R", str(root), *subcommand.split())
    assert COLOUR.search(shown)
    lines = CODES.sub("", shown).splitlines()
    assert max(map(len, lines)) <= columns
    assert "FAILED" in CODES.sub("", shown)
    assert "…" not in shown


def test_wide_terminal_shows_more_columns(root: Path) -> None:
    narrow, wide = (in_terminal(columns, "-R", str(root), "list") for columns in (60, 200))
    assert "val/dice" in narrow
    assert "commit" not in narrow
    assert "commit" in wide


def test_no_color_is_respected(root: Path) -> None:
    shown = in_terminal(100, "-R", str(root), "list", changes={"NO_COLOR": "1"})
    assert not COLOUR.search(shown)
    assert "COMPLETED" in shown


def test_dumb_terminal_gets_plain_text(root: Path) -> None:
    shown = in_terminal(100, "-R", str(root), "show", "1", changes={"TERM": "dumb"})
    assert "\x1b" not in shown
    assert "─" not in shown


@pytest.mark.parametrize("subcommand", ["list", "show 1", "compare 1 2"])
def test_pipe_gets_plain_text_whatever_the_environment(root: Path, subcommand: str) -> None:
    shown = piped("-R", str(root), *subcommand.split(), COLUMNS="20")
    assert shown.returncode == 0
    assert "\x1b" not in shown.stdout + shown.stderr
    assert "tight no_augmentation" in shown.stdout


def test_terminal_without_unicode_gets_curves_in_its_own_characters(root: Path) -> None:
    shown = piped("-R", str(root), "show", "1", PYTHONIOENCODING="ascii")
    assert shown.returncode == 0
    assert "_.-=+*#@" in shown.stdout


def test_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    for _ in range(3):
        make_run(tmp_path, metrics=rising(2000))
    command = f"{shlex.quote(sys.executable)} -m experiments.runs -R {tmp_path} export --csv -"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -n 2"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
        env=environment(),
    )
    assert done.stdout.splitlines()[0] == "run,name,step,metric,value"
    assert (done.returncode, done.stderr) == (0, "")


def test_start_loads_nothing_heavy(root: Path) -> None:
    code = (
        "import sys; from experiments.runs.command import main\n"
        "for words in (['list'], ['show', '1'], ['compare', '1', '2']):\n"
        f"    main(['-R', {str(root)!r}, *words])\n"
        "heavy = {'torch', 'sacred', 'pymongo', 'matplotlib', 'scipy', 'pandas', 'optuna'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment())
    assert done.returncode == 0, done.stderr


def test_command_starts_in_half_a_second(root: Path) -> None:
    assert min(computing("-R", str(root), "list") for _ in range(3)) < 0.5


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_of_each_subcommand_has_examples_that_parse(name: str) -> None:
    shown = piped(name, "--help").stdout
    examples = [line for line in shown.splitlines() if line.startswith("  python -m experiments")]
    assert examples
    for example in examples:
        words = shlex.split(example)[3:]
        assert words[0] == name
        parser().parse_args(words)


@pytest.mark.parametrize("words", [(), ("lst",), ("show",), ("show", "1", "2"), ("--x",)])
def test_wrong_command_line_is_one_line_and_points_to_the_help(
    runs: Command, words: tuple[str, ...]
) -> None:
    shown = runs(*words)
    assert shown.status == 2
    assert "--help" in shown.err


def test_folder_of_runs_is_told_by_option_then_variable(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_run(other, config={"name": "elsewhere"})
    assert "elsewhere" in piped("list", HIPREG_RUNS=str(other)).stdout
    assert "elsewhere" in piped("list", "--runs-dir", str(other), HIPREG_RUNS=str(root)).stdout
    assert "elsewhere" in piped("-R", str(other), "list", HIPREG_RUNS=str(root)).stdout


def test_folder_that_may_not_be_read_is_one_line(tmp_path: Path, runs: Command) -> None:
    (tmp_path / "file").touch()
    runs.root = tmp_path / "file"
    assert runs("list").status == 2


def test_password_of_a_url_is_in_no_message(runs: Command) -> None:
    make_run(runs.root)
    url = "mongodb://me:open-sesame@host/db"
    for words in (
        ("show", url),
        ("list", "--where", url),
        ("export", "1", "--to", "/proc/" + url),
    ):
        assert "open-sesame" not in runs(*words).err
