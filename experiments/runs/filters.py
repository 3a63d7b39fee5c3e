"""Filters as typed: ``channel_multiplication>=2``, ``status=COMPLETED``, ``age<2d``."""

from __future__ import annotations

import fnmatch
import json
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from experiments.runs.errors import RunsError
from experiments.runs.fields import Field

ALLOWED = "KEY=VALUE[,VALUE...], KEY!=VALUE, KEY>VALUE, >=, <, <=, or KEY~TEXT (holds the text)"

_FILTER = re.compile(r"\s*(?P<key>[^=<>!~]+?)\s*(?P<sign>==|=|!=|>=|<=|>|<|~)\s*(?P<value>.*?)\s*")
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|h|d|w)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition.

    Attributes:
        key: what it is about.
        sign: how it compares.
        value: with what, as typed.
    """

    key: str
    sign: str
    value: str

    def __str__(self) -> str:
        return f"{self.key}{self.sign}{self.value}"


def parse_filter(text: str) -> Filter:
    """Read one condition.

    Raises:
        RunsError: it is none, with what is allowed.
    """
    match = _FILTER.fullmatch(text)
    if match is None or not match["value"]:
        raise RunsError(f"--where {text!r} is no condition; allowed: {ALLOWED}")
    return Filter(match["key"], match["sign"].replace("==", "="), match["value"])


def matcher(condition: Filter, field: Field) -> Callable[[Any], bool]:
    """The test that a value of ``field`` must pass.

    Raises:
        RunsError: ``>`` and its like with a value that has no order.
    """
    if condition.sign == "~":
        wanted = condition.value.casefold()
        return lambda value: value is not None and wanted in _words(value).casefold()
    if condition.sign in ("=", "!="):
        choices = _choices(condition.value)
        equal = condition.sign == "="
        return lambda value: any(_same(value, choice) for choice in choices) == equal
    limit = _limit(condition)
    compare = _ORDER[condition.sign]
    return lambda value: (
        (comparable := _comparable(value, limit)) is not None and compare(comparable, limit)
    )


def name_matches(name: str, pattern: str) -> bool:
    """Whether a run's name, or one word of it, is ``pattern``, in which ``*`` stands for any text.

    ``sym`` is a word of "sym pretrain" and none of "quick no_sym".
    """
    wanted = pattern.casefold()
    return any(
        fnmatch.fnmatchcase(part, wanted) for part in (name.casefold(), *name.casefold().split())
    )


def check_comparable(condition: Filter, values: Iterable[Any]) -> None:
    """Refuse an order where no run's value has one, which would silently list nothing.

    Raises:
        RunsError: ``condition`` asks for an order and all ``values`` are text.
    """
    if condition.sign not in _ORDER:
        return
    known = [value for value in values if value is not None]
    limit = _limit(condition)
    if known and all(_comparable(value, limit) is None for value in known):
        raise RunsError(
            f"--where {condition}: {condition.key} holds {_words(known[-1])!r}, which cannot be "
            f"compared with {condition.value!r}; allowed there: {condition.key}=VALUE, !=VALUE or "
            f"~TEXT"
        )


def _limit(condition: Filter) -> float | datetime:
    span = _SPAN.fullmatch(condition.value)
    if span:
        return float(span[1]) * _SECONDS[span[2]]
    try:
        return float(condition.value)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(condition.value)
    except ValueError as error:
        raise RunsError(
            f"--where {condition}: {condition.sign} needs a number, a time (2026-11-20, "
            f"2026-11-20T15:30) or a span (30min, 2h, 7d), got {condition.value!r}"
        ) from error
    return time.astimezone(UTC)


def _comparable(value: Any, limit: float | datetime) -> Any:
    if isinstance(limit, datetime):
        return value if isinstance(value, datetime) else None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if number else None


def _choices(text: str) -> list[str]:
    return [text] if text.startswith(("[", "{")) else [part.strip() for part in text.split(",")]


def _same(value: Any, typed: str) -> bool:
    if value is None:
        return typed.casefold() in ("none", "null", "-")
    if isinstance(value, bool):
        return typed.casefold() == str(value).casefold()
    if isinstance(value, (int, float)):
        try:
            return value == float(typed) or (value != value and typed.casefold() == "nan")
        except ValueError:
            return False
    if isinstance(value, datetime):
        return value.astimezone().isoformat().startswith(typed.replace(" ", "T"))
    if isinstance(value, (list, dict)):
        try:
            return bool(value == json.loads(typed))
        except ValueError:
            return False
    return str(value).casefold() == typed.casefold()


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
