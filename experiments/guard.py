"""Keeps one fault in an observer from ending all recording."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar, cast


class Guarded(Protocol):
    """What :func:`guarded` needs of an observer."""

    lock: AbstractContextManager[Any]

    @property
    def active(self) -> bool:
        """Whether there is a run to record."""
        ...

    def complain(self, what: str, error: Exception) -> None:
        """Log that ``what`` failed."""
        ...


Method = TypeVar("Method", bound=Callable[..., None])


def guarded(method: Method) -> Method:
    """Make an observer's ``method`` log what it raises, and do nothing while inactive.

    Calls wait for each other: Sacred gives the last heartbeat 2 s and then ends the run beside it.
    Sacred drops an observer at its first exception, for the rest of the run and with no other
    trace than one log line, while the run still ends as COMPLETED.
    """

    @functools.wraps(method)
    def call(self: Guarded, *args: Any, **kwargs: Any) -> None:
        with self.lock:
            if not self.active:
                return
            try:
                method(self, *args, **kwargs)
            except Exception as error:
                self.complain(method.__name__, error)

    return cast(Method, call)
