"""Which labels a configuration learns from."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.labels import WORDS, label_use
from tests.experiments.test_configs import configuration


@pytest.mark.parametrize(
    ("config", "use"),
    [
        (configuration("quick"), "training"),
        (configuration("quick", "no_dice"), "none"),
        (configuration("best"), "predicted"),
        ({}, "unknown"),
        ({"weight_dice": None}, "unknown"),
    ],
    ids=["quick", "no_dice", "best", "empty", "damaged"],
)
def test_use_of_labels_is_read_from_the_configuration(config: dict[str, Any], use: str) -> None:
    assert label_use(config) == use
    assert use in WORDS or use == "unknown"
