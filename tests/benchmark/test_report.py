"""Ratios, peaks, pictures and the whole command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hipreg.benchmark import Plan, run_suite
from hipreg.benchmark.__main__ import main
from hipreg.benchmark.child import ChildError, Job, measure_in_child
from hipreg.benchmark.figure import draw_costs
from hipreg.benchmark.material import synthetic_material
from hipreg.benchmark.report import profile_table, text, to_plain, write_report
from hipreg.benchmark.roofline import Peaks, achieved, measure_peaks
from hipreg.benchmark.setting import Setting
from hipreg.benchmark.suite import Results, direct_settings
from tests.benchmark.helpers import SETTING, measured, synthetic_bank
from tests.helpers import SMALL

CPU = torch.device("cpu")
PEAKS = Peaks({"float32": 4e9, "bfloat16": 8e9}, 1e9)


def test_setting_survives_json() -> None:
    assert Setting.of(json.loads(json.dumps(SETTING.plain()))) == SETTING


def test_ratio_is_direct_over_fast_of_the_same_network_batch_and_way() -> None:
    results = Results(PEAKS)
    tight = replace(SETTING, size=(16, 8, 16), precision="bfloat16")
    results.steps = [measured(seconds=2, setting=tight), measured(setting=replace(tight, batch=1))]
    results.direct = [measured("direct", seconds=10)]
    (ratio,) = results.ratios
    assert ratio.time == 5
    assert ratio.memory == 1


def test_one_direct_step_serves_all_sizes_and_precisions() -> None:
    small = replace(SETTING, size=(8, 16, 16), precision="bfloat16")
    assert direct_settings([small, SETTING]) == [SETTING]
    assert len(direct_settings([SETTING, replace(SETTING, symmetric=False)])) == 2


def test_rates_and_the_bound_are_those_of_the_definition() -> None:
    rate = achieved(measured(seconds=2), PEAKS)
    assert (rate.flops, rate.bandwidth, rate.intensity) == (1e9, 0.5e9, 2)
    assert rate.bound == 1  # 1e9 bytes at 1e9 bytes/s take longer than 2e9 FLOP at 4e9 FLOP/s


def test_measured_peaks_are_positive() -> None:
    peaks = measure_peaks(CPU, shrink=32)
    assert min(*peaks.flops.values(), peaks.bandwidth) > 0


def test_figure_is_drawn_with_and_without_a_sweep(tmp_path: Path) -> None:
    points = [measured(), measured(seconds=2, setting=replace(SETTING, batch=4))]
    draw_costs(tmp_path / "a.png", {"batch": points}, [measured("direct")], PEAKS)
    draw_costs(tmp_path / "b.png", {}, [], PEAKS)
    assert (tmp_path / "a.png").stat().st_size > (tmp_path / "b.png").stat().st_size > 0


def test_failed_step_is_reported_by_its_last_line() -> None:
    job = Job(
        kind="fast",
        setting=replace(SETTING, size=(10, 16, 16)),
        repeats=1,
        labels=(1, 2),
        device="cpu",
        threads=1,
    )
    with pytest.raises(ChildError, match="multiple of 4"):
        measure_in_child(job, synthetic_bank())


def test_suite_measures_everything_and_writes_it(tmp_path: Path) -> None:
    material = synthetic_material(size=SMALL, device=CPU, pairs=2, cases=4)
    plan = Plan(settings=[SETTING], sweep={}, repeats=1, shrink=32)
    results = run_suite(plan, material)
    assert results.failures == []
    (fast,), (direct,), (times,) = results.steps, results.direct, results.inference
    assert fast.memory > 0
    assert direct.work.flops > fast.work.flops
    assert times.pairs == 2
    assert results.ratios[0].time > 0
    files = write_report(tmp_path / "out", results, material, CPU)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in files
    )
    plain = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert plain == json.loads(json.dumps(to_plain(results, material, CPU)))
    assert "no MRI found" in text(results, material, CPU)
    assert "convolution,all" in profile_table(results.steps)


def test_impossible_settings_are_refused_before_anything_is_measured() -> None:
    material = synthetic_material(size=SMALL, device=CPU, pairs=1, cases=2)
    for wrong in (replace(SETTING, size=(32, 16, 16)), replace(SETTING, size=(10, 16, 16))):
        with pytest.raises(ValueError, match="multiple of 4 and fit"):
            run_suite(Plan(settings=[wrong]), material)


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--size", "1", "2"], "full or tight"), (["--device", "abacus"], "device must be")],
)
def test_wrong_options_are_explained(words: list[str], message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        main(["--quick", *words])
