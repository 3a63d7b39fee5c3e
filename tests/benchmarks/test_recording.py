"""What recording costs: at the start of a run, an epoch, a beat, and at its end.

``python experiments/recording_cost.py`` prints the figures.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from experiments.recording_cost import (
    LARGEST_SHARE,
    LARGEST_START,
    epoch_of,
    main,
    measure,
    report,
    share,
    start_up,
)
from experiments.records import read_record

ROOT = Path(__file__).resolve().parents[2]
EPOCH = 20.0
"""Seconds: what an epoch of the quick profile takes at least, on two CPU cores."""


@pytest.mark.slow
def test_recording_costs_less_than_a_hundredth_of_an_epoch_and_starts_in_2_seconds(
    tmp_path: Path,
) -> None:
    figures = measure(tmp_path, time.process_time)  # other tests may run beside this one
    print(report(figures, EPOCH))
    assert share(figures, EPOCH) < LARGEST_SHARE
    assert start_up(figures) < LARGEST_START
    assert len(read_record(tmp_path / "3").metrics()["val/number_0"]) == 100


def test_report_sets_the_figures_beside_what_is_promised() -> None:
    figures = {"imports": 0.5, "first start in a folder": 0.25, "epoch": 0.02, "beat": 0.05}
    assert share(figures, 10) == pytest.approx(0.002 + 0.005)
    text = report(figures, 10)
    assert "Start-up 0.75 s (at most 2 s)" in text
    assert "Of an epoch of 10.00 s, recording takes 0.70 % (at most 1 %)" in text


def test_epoch_is_that_of_the_run_that_is_named(tmp_path: Path) -> None:
    assert 1 < epoch_of(ROOT / "results" / "records", "2") < 1000
    with pytest.raises(ValueError, match="is no run"):
        main(["7", "-R", str(tmp_path)])
    with pytest.raises(ValueError, match="more than 0"):
        main(["--epoch-seconds", "0", "-R", str(tmp_path)])
    assert not list(tmp_path.iterdir())
