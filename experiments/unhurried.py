"""Writing what grows large, without taking more than a share of the time for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SHARE = 0.005
"""Share of the time that writing one kind of record may take."""


class Unhurried:
    """Writes the newest of many versions, and each only once the last one is long enough ago.

    A version that was not written, for want of time or because writing it failed, is written by a
    later call or by :meth:`finish`.
    """

    def __init__(
        self, write: Callable[[Any], None], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """Write nothing yet.

        Args:
            write: writes a version.
            clock: seconds.
        """
        self._write, self._clock = write, clock
        self._newest: Any = None
        self._waits = False
        self._written: Any = None
        self._next = float("-inf")

    def keep(self, version: Any) -> None:
        """Take note of a version, and write it if the time has come.

        A string that is the one of before is not written again; of anything else that may have
        changed from within nobody knows.
        """
        if isinstance(version, str) and version == self._written:
            self._waits = False
            return
        self._newest, self._waits = version, True
        if self._clock() >= self._next:
            self.finish()

    def finish(self) -> None:
        """Write what waits."""
        if not self._waits:
            return
        began = self._clock()
        try:
            self._write(self._newest)
        finally:
            now = self._clock()
            self._next = now + (now - began) / SHARE
        self._waits = False
        self._written = self._newest if isinstance(self._newest, str) else None
