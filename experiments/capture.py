"""What a run prints: kept as a terminal would show it, within a limit, to the last word."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
from typing import Any, Protocol

LIMIT = 1_000_000
"""Characters of captured output that are kept; a database document takes at most 16 MB."""

_HEAD = LIMIT // 5
_MARK = re.compile(r"\n\[(\d+) characters left out\]\n")


def as_terminal(text: str) -> str:
    """``text`` after its carriage returns and backspaces, as a terminal would show it."""
    if "\r" not in text and "\b" not in text:
        return text
    return "\n".join(_overwritten(line) for line in text.split("\n"))


def settled(text: str) -> str:
    """``text`` with all that can no longer change as a terminal would show it.

    The piece after the last carriage return of the unfinished line stays as it is, because what
    comes next is written where that piece ends: output settled piece by piece and then shown
    :func:`as_terminal` is the whole output shown so.
    """
    finished, newline, current = text.rpartition("\n")
    before, carriage_return, piece = current.rpartition("\r")
    return as_terminal(finished) + newline + _overwritten(before) + carriage_return + piece


def shortened(text: str, limit: int = LIMIT) -> str:
    """``text`` itself up to ``limit`` characters; else its first fifth, a mark, and its end.

    A mark that an earlier call left is counted in, so that growing output can be shortened again
    and again.
    """
    if len(text) <= limit:
        return text
    head = min(_HEAD, limit // 5)
    mark = _MARK.match(text, head)
    left_out = int(mark[1]) if mark else 0
    rest = text[mark.end() if mark else head :]
    tail = rest[-(limit - head - 80) :]
    return f"{text[:head]}\n[{left_out + len(rest) - len(tail)} characters left out]\n{tail}"


def captured_text(text: str) -> str:
    """The filter for Sacred's captured output: :func:`settled`, then :func:`shortened`."""
    return shortened(settled(text))


@functools.cache
def terminal_columns() -> int | None:
    """Width of the terminal behind standard error; None where that is no terminal.

    Answered once: while a run is captured, Sacred has a pipe there, so ask before it starts.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if sys.stderr.isatty():
            return os.get_terminal_size(sys.stderr.fileno()).columns
    return None


class _Output(Protocol):
    buffer: Any
    final: str | None

    @property
    def closed(self) -> bool: ...

    def get(self) -> str: ...


class LastWords:
    """Sacred's captured output, without its two ways of losing some.

    Sacred reads a file that is being written: half a multi-byte character at its end raises in
    the heartbeat thread and ends it, and with it the recording of metrics. And once a run has
    failed, the text since the last beat is never asked for, because the file is closed by then.
    """

    def __init__(self, output: _Output) -> None:
        """Wrap ``output`` before anything was read from it."""
        self._output = output
        # Text files alone can be told to replace; a StringIO never holds half a character.
        text_file = getattr(output.buffer, "file", output.buffer)
        if hasattr(text_file, "reconfigure"):
            text_file.reconfigure(errors="replace")

    @property
    def closed(self) -> bool:
        """True once all of the text was handed out."""
        return self._output.closed and self._output.final is None

    def get(self) -> str:
        """The text since the last call."""
        return self._output.get()


def _overwritten(line: str) -> str:
    if "\b" in line:
        return _typed(line)
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown


def _typed(line: str) -> str:
    shown: list[str] = []
    cursor = 0
    for character in line:
        if character == "\r":
            cursor = 0
        elif character == "\b":
            cursor = max(0, cursor - 1)
        else:
            shown[cursor : cursor + 1] = [character]
            cursor += 1
    return "".join(shown)
