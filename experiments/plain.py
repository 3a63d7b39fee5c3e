"""Turns what a run hands over (Sacred containers, tensors, numpy values) into plain Python."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from pathlib import PurePath
from typing import Any

_LONGEST_REPR = 1000
_MOST_ELEMENTS = 1000


def plain(value: Any) -> Any:
    """``value`` as plain dicts, lists, strings and numbers; Sacred's config is none of these.

    A Sacred config is read-only and of Sacred's own classes, which makes a checkpoint that holds
    it unreadable under ``weights_only=True``. Scalars of torch and numpy become Python numbers,
    paths strings, times ISO 8601 in UTC, and what nobody can store a shortened ``repr``.

    Args:
        value: anything; for a mapping the result is a ``dict`` with string keys.
    """
    if value is None or isinstance(value, (bool, int, float, str)):
        return _builtin(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, AbstractSet):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, datetime):
        # Sacred hands over UTC without saying so.
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.isoformat()
    if isinstance(value, (PurePath, date)):
        return str(value)
    return _array(value)


def json_ready(value: Any) -> Any:
    """Like :func:`plain`, with NaN and infinities as :func:`json_number` has them."""
    return _finite(plain(value))


def json_number(value: float) -> float | str:
    """``value`` itself, or "NaN", "Infinity" or "-Infinity", which JSON lacks."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def number(value: Any) -> float:
    """``value`` as a Python float, for tensors and numpy scalars of one element too.

    Args:
        value: a number, or a tensor or array of exactly one element.

    Raises:
        ValueError: ``value`` is no single number.
    """
    item = getattr(value, "item", None)
    try:
        return float(item() if item else value)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(value).__name__
        raise ValueError(f"a metric needs one number, got a {kind}: {value!r:.80}") from error


def _builtin(value: bool | int | float | str | None) -> bool | int | float | str | None:
    # numpy.float64 is a float and numpy.str_ a str by inheritance, yet neither is plain.
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return None


def _array(value: Any) -> Any:
    listed = getattr(value, "tolist", None)
    if listed is not None and math.prod(getattr(value, "shape", ())) <= _MOST_ELEMENTS:
        converted = listed()
        if converted is None or isinstance(converted, (bool, int, float, str, list)):
            return plain(converted)
    return repr(value)[:_LONGEST_REPR]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return json_number(value) if isinstance(value, float) else value
