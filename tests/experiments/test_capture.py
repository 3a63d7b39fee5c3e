"""Captured output is what a terminal shows, bounded, to the last word."""

from __future__ import annotations

import os
import time
from tempfile import NamedTemporaryFile

import pytest
from sacred.stdout_capturing import CapturedStdout

from experiments.capture import LastWords, as_terminal, captured_text, settled, shortened


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain\ntext\n", "plain\ntext\n"),
        ("10%\r50%\r100%\n", "100%\n"),
        ("abcdef\rxy\n", "xycdef\n"),
        ("abc\b\bX\n", "aXc\n"),
        ("\b\ba\r\bb", "b"),
        ("10%\r", "10%"),
        ("line\r\nnext", "line\nnext"),
    ],
)
def test_terminal_text_of(text: str, expected: str) -> None:
    assert as_terminal(text) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_output_in_pieces_is_shown_as_the_whole(size: int) -> None:
    whole = "".join(f"\r{step:3d}%" for step in range(101)) + "\nab\b\bcd\r\ndone\n\r12\b3"
    pieces = ""
    for start in range(0, len(whole), size):
        pieces = settled(pieces + whole[start : start + size])
        assert as_terminal(pieces) == as_terminal(whole[: start + size])
        assert len(pieces) <= 30


def test_short_text_is_left_as_it_is() -> None:
    assert shortened("x" * 100, limit=100) == "x" * 100


def test_long_text_keeps_its_start_and_end_and_says_what_is_missing() -> None:
    text = "first" + "." * 5000 + "last"
    short = shortened(text, limit=1000)
    assert len(short) <= 1000
    assert short.startswith("first")
    assert short.endswith("last")
    left_out = int(short.split("[")[1].split()[0])
    mark = len(f"\n[{left_out} characters left out]\n")
    assert left_out == len(text) - (len(short) - mark)


def test_growing_text_shortened_again_and_again_counts_all_that_is_missing() -> None:
    whole = "".join(f"{i:09d}\n" for i in range(1000))
    shown = ""
    for start in range(0, len(whole), 700):
        shown = shortened(shown + whole[start : start + 700], limit=2000)
    left_out = int(shown.split("[")[1].split()[0])
    mark = len(f"\n[{left_out} characters left out]\n")
    assert len(whole) == left_out + len(shown) - mark
    assert shown.endswith(whole[-1000:])


def test_fifty_megabytes_of_progress_take_seconds_at_most() -> None:
    bar = "".join(f"\r{step:7d} {'#' * 90}" for step in range(500_000))
    start = time.perf_counter()
    assert len(captured_text(bar)) < 200
    assert time.perf_counter() - start < 5


def test_half_a_character_at_the_end_does_not_raise() -> None:
    with NamedTemporaryFile(mode="w+", newline="") as target:
        words = LastWords(CapturedStdout(target))
        os.write(target.fileno(), "ab█".encode()[:-1])
        assert words.get().startswith("ab")
        os.write(target.fileno(), b"\x88cd")
        assert words.get().endswith("cd")


def test_text_before_the_file_was_closed_is_still_handed_out_once() -> None:
    with NamedTemporaryFile(mode="w+", newline="") as target:
        output = CapturedStdout(target)
        words = LastWords(output)
        target.write("last words")
        output.finalize()
        assert not words.closed
        assert words.get() == "last words"
        assert words.closed
