"""Measures training steps, inference and evaluation: ``python -m hipreg.benchmark``.

Without options: the symmetric step with deep supervision at channel multiplications 1 and 8, on
the full grid and on the tight crop, in both precisions, against the direct published step.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import torch

from hipreg.benchmark.material import Material, load_material, synthetic_material
from hipreg.benchmark.report import data_line, text, write_report
from hipreg.benchmark.setting import Setting, architecture_of
from hipreg.benchmark.suite import Plan, run_suite
from hipreg.training import PRECISIONS, choose_device
from hipreg.types import Size

logger = logging.getLogger("hipreg.benchmark")

SMALL_BATCH_FROM = 8
"""Channel multiplication from which the usual batch on a CPU is 1."""

QUICK_SIDE = 32
SWEEP_CHANNELS = (0.5, 1, 2, 4, 8)
SWEEP_BATCHES = (1, 2, 4, 8)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Raises:
        SystemExit: The options or the data are wrong; the message says what.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        device = choose_device(options.device)
        material = _material(options, device)
        logger.info("%s", data_line(material))
        results = run_suite(_plan(options, material), material)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    when = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder = options.out or Path("results", "benchmarks", when)
    files = write_report(folder, results, material, device)
    listed = "\n".join(f"  {path}" for path in files)
    sys.stdout.write(f"{text(results, material, device)}\nWritten to\n{listed}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hipreg.benchmark", description=__doc__)
    switch = argparse.BooleanOptionalAction
    add = parser.add_argument
    add("--channels", type=float, nargs="+", help="channel multiplications; default 1 8")
    add(
        "--size",
        nargs="+",
        action="append",
        help="a side, D H W, or tight; may be repeated; default the full grid, and tight",
    )
    add("--batch", type=int, nargs="+", help="default 8, and 1 on a CPU from 8 channels on")
    add("--precision", nargs="+", choices=PRECISIONS, help="default both")
    add("--symmetric", action=switch, default=True, help="both directions in every step")
    add("--direct", action=switch, default=True, help="also the published step (minutes a step)")
    add("--sweep", action=switch, default=True, help="also cost against channels, size, batch")
    add("--repeats", type=int, help="calls that count; default 5")
    add("--direct-repeats", type=int, default=1, help="direct steps that count; default 1")
    add("--device", default="auto", help="auto, cpu or cuda[:N]")
    add("--data-dir", type=Path, help="default: HIPREG_DATA, then data/")
    add("--out", type=Path, help="default: results/benchmarks/<time> in the current folder")
    add("--quick", action="store_true", help="a minute on tiny synthetic volumes")
    return parser


def _material(options: argparse.Namespace, device: torch.device) -> Material:
    if options.quick:
        side = (QUICK_SIDE, QUICK_SIDE, QUICK_SIDE)
        return synthetic_material(size=side, device=device, pairs=4, cases=4)
    return load_material(device=device, data_dir=options.data_dir)


def _plan(options: argparse.Namespace, material: Material) -> Plan:
    quick = options.quick
    on_cpu = material.training.images.device.type == "cpu"
    given = options.size or ([[str(QUICK_SIDE)]] if quick else [["full"], ["tight"]])
    sizes = list(dict.fromkeys(_size(words, material) for words in given))
    precisions = options.precision or PRECISIONS
    settings = [
        Setting(
            architecture=architecture_of(channels),
            size=size,
            batch=batch,
            precision=precision,
            symmetric=options.symmetric,
        )
        for channels in options.channels or ([1.0] if quick else [1.0, 8.0])
        for batch in options.batch
        or ([2] if quick else [1 if on_cpu and channels >= SMALL_BATCH_FROM else 8])
        for size in sizes
        for precision in precisions
    ]
    base = replace(settings[0], batch=1, architecture=architecture_of(1))
    return Plan(
        settings=settings,
        sweep=_sweep(base, material, quick=quick) if options.sweep else {},
        direct=options.direct,
        repeats=options.repeats or (2 if quick else 5),
        direct_repeats=options.direct_repeats,
        shrink=4 if quick else 1,
    )


def _size(words: Sequence[str], material: Material) -> Size:
    if words == ["full"]:
        return material.size
    if words == ["tight"]:
        return material.tight
    try:
        sides = [int(word) for word in words]
    except ValueError:
        sides = []
    if len(sides) == 1:
        sides *= 3
    if len(sides) != 3:
        raise ValueError(f"--size takes a side, D H W, full or tight, got {' '.join(words)!r}")
    return sides[0], sides[1], sides[2]


def _sweep(base: Setting, material: Material, *, quick: bool) -> Mapping[str, Sequence[Setting]]:
    """Steps of one pair in which one thing varies; two points an axis when quick."""
    points = 2 if quick else None
    # Four poolings leave no two voxels to normalise over of a side of 16.
    sides = range(32, min(material.size) + 1, 16)
    return {
        "channels": [
            replace(base, architecture=architecture_of(channels))
            for channels in SWEEP_CHANNELS[:points]
        ],
        "size": [replace(base, size=(side, side, side)) for side in sides],
        "batch": [replace(base, batch=batch) for batch in SWEEP_BATCHES[:points]],
    }


if __name__ == "__main__":
    main()
