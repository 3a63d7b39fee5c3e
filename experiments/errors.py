"""Errors that are the user's to mend, said without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sacred.utils import SacredError


class PlainError(SacredError):
    """A run cannot start or go on for a reason that its message says whole.

    Sacred prints the message alone; the run's record keeps the traceback.
    """

    def __init__(self, message: str) -> None:
        """Say ``message`` alone."""
        super().__init__(message, print_traceback=False)  # type: ignore[no-untyped-call]


@contextmanager
def said_plainly() -> Iterator[None]:
    """Turn the ValueErrors of a set-up (bad data, settings or weights) into plain ones."""
    try:
        yield
    except ValueError as error:
        raise PlainError(str(error)) from error
