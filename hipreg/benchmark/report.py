"""The results as text for people and as files."""

from __future__ import annotations

import csv
import io
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from hipreg.benchmark.child import Measured
from hipreg.benchmark.convolutions import convolution_share, cost_by_kind
from hipreg.benchmark.figure import draw_costs
from hipreg.benchmark.material import PUBLISHED_CASES, Material
from hipreg.benchmark.roofline import Peaks, achieved
from hipreg.benchmark.setting import Setting, size_name
from hipreg.benchmark.steps import PHASES
from hipreg.benchmark.suite import Results
from hipreg.files import replacing

MEGA, GIGA = 1e6, 1e9
PUBLISHED_EPOCHS = 600
_CPU_INFO = Path("/proc/cpuinfo")
_HEAD = ("channels", "size", "batch", "way", "precision")


def machine(device: torch.device) -> dict[str, Any]:
    """What the numbers are of."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _processor() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def text(results: Results, material: Material, device: torch.device) -> str:
    """Everything that is worth reading at once."""
    about = machine(device)
    peaks = results.peaks
    rates = ", ".join(f"{rate / GIGA:.0f} GFLOP/s {name}" for name, rate in peaks.flops.items())
    parts = [
        f"{about['device']}, {about['threads']} threads, torch {about['torch']}",
        f"peaks: {rates}, {peaks.bandwidth / GIGA:.1f} GB/s",
        data_line(material),
        _table("Training step, median seconds", *_step_table(results)),
        _table(
            "Against the machine's peaks, and where the time goes", *_rate_table(results, peaks)
        ),
    ]
    if results.ratios:
        parts.append(_table("Times faster, and less memory, than direct", *_ratio_table(results)))
    if results.inference:
        parts.append(
            _table("Inference and evaluation, median seconds", *_inference_table(results))
        )
    if results.failures:
        parts.append("\n".join(["Not measured", *results.failures]))
    return "\n\n".join(parts) + "\n"


def data_line(material: Material) -> str:
    """Which cases these are."""
    source = "no MRI found, synthetic cases" if material.synthetic else "real cases"
    return f"data: {material.title} ({source}), {size_name(material.size)}"


def _head(setting: Setting) -> list[str]:
    way = "symmetric" if setting.symmetric else "one way"
    size = size_name(setting.size)
    return [f"{setting.channels:g}", size, str(setting.batch), way, setting.precision]


def _step_table(results: Results) -> tuple[Sequence[str], list[list[str]]]:
    rows = []
    for one in [*results.direct, *results.steps]:
        pairs = one.setting.batch / one.median
        hours = PUBLISHED_EPOCHS * PUBLISHED_CASES / pairs / 3600
        phases = [_seconds(one.phases.get(phase, 0.0)) for phase in PHASES]
        memory = [f"{one.memory / MEGA:.0f}", f"{one.memory_peak / MEGA:.0f}"]
        head = [one.kind, *_head(one.setting), _seconds(one.median)]
        rows.append([*head, *phases, f"{pairs:.2f}", *memory, f"{hours:.2f}"])
    epochs = f"{PUBLISHED_EPOCHS} epochs, h"
    memory_names = ("step MB", "peak MB")
    return ("step", *_HEAD, "s", *PHASES, "pairs/s", *memory_names, epochs), rows


def _rate_table(results: Results, peaks: Peaks) -> tuple[Sequence[str], list[list[str]]]:
    rows = []
    for one in [*results.direct, *results.steps]:
        rate = achieved(one, peaks)
        share = f"{convolution_share(one.operators):.0%}" if one.operators else "-"
        data = one.phases.get("data", 0.0) / max(sum(one.phases.values()), 1e-12)
        rows.append(
            [
                one.kind,
                *_head(one.setting),
                f"{rate.flops / GIGA:.1f}",
                f"{rate.bandwidth / GIGA:.1f}",
                f"{rate.bound / one.median:.0%}",
                share,
                f"{data:.1%}",
            ]
        )
    columns = ("GFLOP/s", "GB/s", "of roofline", "in convolutions", "in data")
    return ("step", *_HEAD, *columns), rows


def _ratio_table(results: Results) -> tuple[Sequence[str], list[list[str]]]:
    rows = [
        [
            *_head(ratio.fast.setting),
            size_name(ratio.direct.setting.size),
            f"{ratio.time:.1f}",
            f"{ratio.memory:.1f}",
        ]
        for ratio in results.ratios
    ]
    return (*_HEAD, "direct size", "faster", "less memory"), rows


def _inference_table(results: Results) -> tuple[Sequence[str], list[list[str]]]:
    rows = []
    for one in results.inference:
        channels, size, batch, _, precision = _head(one.setting)
        times = (one.one_pair, one.batch, one.stream, one.evaluation)
        head = [channels, size, batch, precision]
        rows.append([*head, *(_seconds(t) for t in times), str(one.pairs)])
    columns = ("one pair", "a pair of a batch", "a pair of a stream", "evaluation", "of pairs")
    return ("channels", "size", "batch", "precision", *columns), rows


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in [columns, *rows]
    ]
    return "\n".join([title, *lines])


def to_plain(results: Results, material: Material, device: torch.device) -> dict[str, Any]:
    """Everything that was measured, as plain values for JSON."""
    return {
        "machine": machine(device) | {"peaks": asdict(results.peaks)},
        "data": {"title": material.title, "synthetic": material.synthetic, "size": material.size},
        "direct": [_plain_step(one, results.peaks) for one in results.direct],
        "steps": [_plain_step(one, results.peaks) for one in results.steps],
        "ratios": [
            {
                "setting": ratio.fast.setting.plain(),
                "direct_size": ratio.direct.setting.size,
                "faster": ratio.time,
                "less_memory": ratio.memory,
            }
            for ratio in results.ratios
        ],
        "inference": [asdict(one) for one in results.inference],
        "sweep": {
            axis: [_plain_step(one, results.peaks) for one in some]
            for axis, some in results.sweep.items()
        },
        "failures": results.failures,
    }


def _plain_step(one: Measured, peaks: Peaks) -> dict[str, Any]:
    values = asdict(one)
    operators = values.pop("operators")
    return values | {
        "median": one.median,
        "pairs_per_second": one.setting.batch / one.median,
        "memory_step": one.memory,
        "achieved": asdict(achieved(one, peaks)),
        "convolution_share": convolution_share(one.operators) if operators else None,
        "kinds": [asdict(cost) for cost in cost_by_kind(one.operators)],
    }


def profile_table(steps: Sequence[Measured]) -> str:
    """CSV: the kinds, then the operators, of each profiled step."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*_HEAD, "kind", "operator", "calls", "seconds", "share"])
    for one in steps:
        named = [cost for cost in one.operators if cost.name]
        for cost in [*cost_by_kind(one.operators), *named]:
            numbers = [f"{cost.calls:g}", f"{cost.seconds:.6f}", f"{cost.share:.4f}"]
            writer.writerow([*_head(one.setting), cost.kind, cost.name or "all", *numbers])
    return file.getvalue()


def write_report(
    folder: Path, results: Results, material: Material, device: torch.device
) -> list[Path]:
    """Write ``benchmark.json``, ``benchmark.txt``, ``profile.csv`` and ``costs.png``.

    Returns:
        The files, each written whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plain: Mapping[str, Any] = to_plain(results, material, device)
    contents = {
        "benchmark.json": json.dumps(plain, indent=1) + "\n",
        "benchmark.txt": text(results, material, device),
        "profile.csv": profile_table(results.steps),
    }
    for name, content in contents.items():
        with replacing(folder / name) as part:
            part.write_text(content, encoding="utf-8")
    draw_costs(
        folder / "costs.png", results.sweep, [*results.direct, *results.steps], results.peaks
    )
    return [*(folder / name for name in contents), folder / "costs.png"]
