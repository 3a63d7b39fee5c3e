"""Numbers, times and sizes as people read them; curves as one line of text."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

NONE = "-"
BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = "_.-=+*#@"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def figure(value: float | None) -> str:
    """Four significant digits, and no exponent where a decimal number is as short."""
    if value is None:
        return NONE
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    size = abs(value)
    if size < 1e-3 or size >= 1e6:
        return f"{value:.2e}"
    return f"{value:.{max(0, 3 - math.floor(math.log10(size)))}f}"


def duration(seconds: float | None) -> str:
    """Two units at most: ``12 s``, ``6 min 31 s``, ``45 min``, ``2 h 05 min``, ``3 d 4 h``."""
    if seconds is None:
        return NONE
    whole = max(0, round(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < 10 * _MINUTE:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    minutes = round(whole / _MINUTE)
    if minutes < _HOUR // _MINUTE:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < _DAY // _HOUR:
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(round(whole / _HOUR), _DAY // _HOUR)
    return f"{days} d {hours} h" if days < 10 else f"{days} d"


def moment(time: datetime | None) -> str:
    """Local date and time to the minute."""
    return NONE if time is None else time.astimezone().strftime("%Y-%m-%d %H:%M")


def size(count: int | None) -> str:
    """Bytes in units of 1000."""
    if count is None:
        return NONE
    if count < 1000:
        return f"{count} B"
    scaled = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        scaled /= 1000
        if scaled < 999.5 or unit == "TB":
            break
    return f"{scaled:.1f} {unit}" if scaled < 10 else f"{scaled:.0f} {unit}"


def entry(value: Any) -> str:
    """A configuration's value as it would be given on the command line."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, (bool, int, float)):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def counted(count: int, noun: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def parsed_time(text: Any) -> datetime | None:
    """A recorded ISO time, in UTC where it names no zone; None for what is no time."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def sparkline(values: Sequence[float], *, width: int = 24, bars: str = BARS) -> str:
    """A curve in at most ``width`` characters, from its lowest to its highest finite value.

    Args:
        values: in the order of steps; a value that is not finite leaves a gap.
        width: longer curves are averaged piece by piece.
        bars: characters from low to high.
    """
    pieces = [_mean(piece) for piece in _pieces(values, width)]
    finite = [value for value in pieces if value is not None]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    # A halved difference: that of two huge values of opposite signs would be infinite.
    span = high / 2 - low / 2
    return "".join(
        " " if value is None else bars[_level(value, low, span, len(bars))] for value in pieces
    )


def _level(value: float, low: float, half_span: float, levels: int) -> int:
    if half_span == 0:
        return 0
    return min(levels - 1, int((value / 2 - low / 2) / half_span * levels))


def _pieces(values: Sequence[float], width: int) -> list[Sequence[float]]:
    count = min(width, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)] if count else []
    return [values[a:b] for a, b in pairwise(edges)]


def _mean(values: Sequence[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return sum(value / len(finite) for value in finite) if finite else None
