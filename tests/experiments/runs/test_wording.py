"""Numbers, times and curves read as people write them."""

from __future__ import annotations

import math

import pytest

from experiments.runs.wording import duration, figure, parsed_time, size, sparkline


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (3.0, "3"),
        (-2.0, "-2"),
        (0.76666, "0.7667"),
        (2.28149, "2.281"),
        (65.604, "65.60"),
        (1234.6, "1235"),
        (0.00123456, "0.001235"),
        (5.17e-6, "5.17e-06"),
        (-0.5, "-0.5000"),
        (1e12, "1.00e+12"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_figure_has_four_digits(value: float | None, text: str) -> None:
    assert figure(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-3, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (391, "6 min 31 s"),
        (2700, "45 min"),
        (3599, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (86399, "1 d 0 h"),
        (273600, "3 d 4 h"),
        (21600000, "250 d"),
    ],
)
def test_duration_has_two_units_at_most(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (125_633, "126 kB"), (999_900, "1.0 MB")],
)
def test_size_has_a_unit(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("values", "curve"),
    [
        ([], ""),
        ([math.nan, math.inf], ""),
        ([5.0, 5.0], "▁▁"),
        ([0.0, 7.0], "▁█"),
        ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], "▁▂▃▄▅▆▇█"),
        ([0.0, math.nan, 7.0], "▁ █"),
        ([-1.7e308, 1.7e308], "▁█"),
        ([5e-324, 0.0], "▁▁"),
    ],
)
def test_curve_goes_from_its_lowest_to_its_highest_value(values: list[float], curve: str) -> None:
    assert sparkline(values) == curve


def test_long_curve_is_averaged_to_the_width() -> None:
    curve = sparkline([float(i) for i in range(600)], width=24)
    assert len(curve) == 24
    assert list(curve) == sorted(curve)


@pytest.mark.parametrize("text", [None, 7, "", "yesterday", "2026-13-01"])
def test_what_is_no_time_is_none(text: object) -> None:
    assert parsed_time(text) is None
