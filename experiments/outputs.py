"""The files that a run leaves: metrics per pair, learning curves and a registration panel."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.cases import Cases
from experiments.folds import FOLD
from hipreg.data import CasePair
from hipreg.evaluation import NO_LABEL, LabelMetrics, evaluate_pairs, write_rows
from hipreg.evaluation.figures import PanelVolumes, learning_curves, registration_panel
from hipreg.evaluation.network import Inference, pair_job, register_pairs
from hipreg.files import replacing
from hipreg.training.step import Registrar

SPLITS = ("train", "selection", "val", FOLD)
CURVES = (
    *(f"{split}/{name}" for name in ("loss", "dice", "hd95", "sdlogj") for split in SPLITS),
    *(f"{split}/folding" for split in SPLITS),
    "learning_rate",
)
"""What the learning curves show; ``history.csv`` holds everything."""


def unregistered(cases: Cases, split: str) -> list[LabelMetrics]:
    """Metrics of a split's pairs before registration."""
    jobs = (pair_job(cases.held, pair) for pair in cases.pairs[split])
    return evaluate_pairs(jobs, cases.labels)


def median_pair(rows: Sequence[LabelMetrics]) -> CasePair:
    """The pair whose mean Dice is the median: neither the best nor the worst to show.

    Without labels, the pair of median SDlogJ.
    """
    sums: dict[CasePair, float] = {}
    for row in rows:
        pair = CasePair(row.fixed, row.moving)
        value = row.sdlogj if row.label == NO_LABEL else row.dice
        sums[pair] = sums.get(pair, 0.0) + value
    ranked = sorted(sums, key=lambda pair: (sums[pair], pair))
    return ranked[len(ranked) // 2]


def draw_panel(
    path: Path, net: Registrar, cases: Cases, pair: CasePair, inference: Inference
) -> None:
    """Draw one pair as the network registers it."""
    ((_, displacement),) = register_pairs(net, cases.held, [pair], inference)
    rows = {case: i for i, case in enumerate(cases.held.cases)}
    fixed, moving = rows[pair.fixed], rows[pair.moving]
    images, labels = cases.held.images[:, 0].cpu(), cases.held.labels[:, 0].cpu()
    registration_panel(
        path,
        PanelVolumes(
            fixed=images[fixed].numpy(),
            moving=images[moving].numpy(),
            fixed_label=labels[fixed].numpy(),
            moving_label=labels[moving].numpy(),
            displacement=displacement,
        ),
        title=f"Case {pair.moving} registered to case {pair.fixed}",
        label_names=cases.cohort.description.labels,
    )


def draw_curves(path: Path, history: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Draw the learning curves of a run's history, where it has one."""
    curves = {name: history[name] for name in CURVES if name in history}
    if curves:
        learning_curves(path, curves)


def write_history(path: Path, history: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Write a run's history as CSV: one row an epoch, one column a metric."""
    epochs = sorted({epoch for points in history.values() for epoch, _ in points})
    columns = {name: dict(points) for name, points in history.items()}
    with replacing(path) as part, part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *columns])
        for epoch in epochs:
            writer.writerow([epoch, *(values.get(epoch, "") for values in columns.values())])


def write_metrics(path: Path, rows: Sequence[LabelMetrics]) -> Path:
    """Write metrics per pair and label; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_rows(path, rows)
    return path
