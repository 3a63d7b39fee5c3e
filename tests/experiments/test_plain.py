"""What a run hands over becomes plain Python, whatever it was."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sacred.config.custom_containers import make_read_only

from experiments.plain import json_ready, number, plain


def test_read_only_sacred_config_becomes_plain_containers_all_the_way_down() -> None:
    config = make_read_only({"name": "sym", "channels": [4, 8], "loss": {"window": 9}})

    result = plain(config)

    assert result == {"name": "sym", "channels": [4, 8], "loss": {"window": 9}}
    assert type(result) is dict
    assert type(result["channels"]) is list
    assert type(result["loss"]) is dict


def test_plain_config_survives_a_weights_only_checkpoint(tmp_path: Path) -> None:
    config = plain(make_read_only({"channels": [4, 8], "rate": np.float64(1e-4)}))
    torch.save({"config": config}, tmp_path / "last.pt")
    assert torch.load(tmp_path / "last.pt", weights_only=True) == {"config": config}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (torch.tensor(2.0), 2.0),
        (np.array([1, 2]), [1, 2]),
        (Path("a") / "b", "a/b"),
        (datetime(2020, 1, 2, 3, 4), "2020-01-02T03:04:00+00:00"),
        ((1, {2}), [1, [2]]),
        ({1: "a"}, {"1": "a"}),
        (None, None),
    ],
)
def test_plain_value_of(value: Any, expected: Any) -> None:
    result = plain(value)
    assert result == expected
    assert type(result) is type(expected)


def test_large_array_becomes_a_short_text() -> None:
    assert isinstance(plain(np.zeros(100_000)), str)


def test_non_finite_numbers_become_words_that_float_reads_back() -> None:
    text = json.dumps(json_ready({"a": [math.nan, math.inf, -math.inf]}), allow_nan=False)
    assert text == '{"a": ["NaN", "Infinity", "-Infinity"]}'
    assert [float(word) for word in json.loads(text)["a"]][1:] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    "value", [1, np.float32(1), torch.tensor(1.0), torch.ones(1, requires_grad=True), "1"]
)
def test_number_of_a_single_value(value: Any) -> None:
    assert number(value) == 1.0
    assert type(number(value)) is float


@pytest.mark.parametrize("value", [None, "many", torch.zeros(2), np.zeros(3), {}])
def test_number_of_anything_else_says_what_it_got(value: Any) -> None:
    with pytest.raises(ValueError, match="needs one number, got"):
        number(value)
