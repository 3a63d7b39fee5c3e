"""One bar over work of several kinds, whose speeds are learnt as it goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tqdm import tqdm

from experiments.capture import terminal_columns


@dataclass(slots=True)
class Kind:
    """Work of which each unit takes about as long.

    Attributes:
        total: Units in all.
        guess: Seconds a unit, before one was done; right in proportion to other kinds is enough.
        done: Units that are done.
        timed: Those of them that were done here.
        seconds: That they took.
    """

    total: int
    guess: float
    done: int = 0
    timed: int = 0
    seconds: float = 0.0


def seconds_left(kinds: Mapping[str, Kind]) -> float | None:
    """Seconds that the rest will take; None while nothing was timed."""
    known = [kind for kind in kinds.values() if kind.timed]
    guessed = sum(kind.timed * kind.guess for kind in known)
    if not guessed:
        return None
    scale = sum(kind.seconds for kind in known) / guessed
    return sum(
        (one.total - one.done) * (one.seconds / one.timed if one.timed else one.guess * scale)
        for one in kinds.values()
    )


class Progress:
    """A bar over everything with ETA; without a terminal the lines alone."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        """Show what is done already."""
        self.kinds = dict(kinds)
        self._current, self._before = Kind(0, 1.0), Kind(0, 1.0)
        self._began = time.monotonic()
        self._bar = tqdm(
            total=sum(kind.total * kind.guess for kind in kinds.values()),
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed} gone{postfix}",
            disable=terminal_columns() is None,
            ncols=terminal_columns(),
        )
        self._show()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def begin(self, kind: str, words: str) -> None:
        """From here on it is work of this kind."""
        self._current = self.kinds[kind]
        now = self._current
        self._before = Kind(now.total, now.guess, now.done, now.timed, now.seconds)
        self._began = time.monotonic()
        self._bar.set_description_str(words)

    def at(self, units: int) -> None:
        """So many units were done since it began."""
        now, before = self._current, self._before
        now.done, now.timed = before.done + units, before.timed + units
        if units:
            now.seconds = before.seconds + time.monotonic() - self._began
        self._show()

    def say(self, text: str) -> None:
        """A line above the bar."""
        if self._bar.disable:
            print(text, flush=True)
        else:
            self._bar.write(text, file=sys.stdout)

    def _show(self) -> None:
        left = seconds_left(self.kinds)
        words = "" if left is None else f"about {tqdm.format_interval(left)} left"
        self._bar.set_postfix_str(words, refresh=False)
        self._bar.n = sum(kind.done * kind.guess for kind in self.kinds.values())
        self._bar.refresh()
