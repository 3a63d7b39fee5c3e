"""What the runs command says instead of a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RunsError(ValueError):
    """A request that cannot be met; its message says all that the user needs, in one line."""


def nearest(word: str, known: Iterable[str], *, most: int = 3) -> str:
    """`` (did you mean a, b or c?)`` for what is spelt like ``word``; else nothing."""
    choices = sorted(set(known))
    close = difflib.get_close_matches(word, choices, n=most, cutoff=0.5)
    close += [name for name in choices if word and word in name and name not in close]
    return f" (did you mean {alternatives(close[:most])}?)" if close else ""


def alternatives(words: Iterable[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last
