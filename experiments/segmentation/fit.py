"""One training of a segmentation with everything around it."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast

import torch
from sacred.run import Run

from experiments import outputs
from experiments.course import Course
from experiments.errors import said_plainly
from experiments.folds import FOLD, LAST_EPOCH, SPLIT_NAMES, provenance_of_fold
from experiments.segmentation import settings
from experiments.segmentation.cases import SegmentationCases
from experiments.settings import crop, inference
from experiments.signals import STOP
from experiments.start import taken_up
from hipreg.data.labelled import case_plans
from hipreg.evaluation.figures import segmentation_panel
from hipreg.evaluation.network import Inference
from hipreg.evaluation.segmentation import (
    CaseMetrics,
    aggregate_cases,
    evaluate_segmentation,
    segment_cases,
)
from hipreg.files import replacing
from hipreg.models import SegmentationNet, build_net, load_checkpoint, parameter_count
from hipreg.training import (
    BY_DICE,
    Hook,
    TrainingState,
    WeightAverage,
    segmentation_step,
    train_by,
)
from hipreg.types import Labelled

logger = logging.getLogger(__name__)


def fit(
    run: Run, config: Mapping[str, Any], cases: SegmentationCases, folder: Path
) -> float | None:
    """Train, then evaluate the best weights on the cases that are reported.

    Args:
        run: Gets metrics and artifacts.
        config: Plain values, see ``experiments.segmentation.configs``.
        cases: What to train and evaluate on.
        folder: Gets checkpoints, metrics per case and pictures.

    Returns:
        The best Dice on the selection cases.
    """
    with STOP.at_once():
        with said_plainly():
            weights = settings.weights(config)
            net, state = start(config, cases)
            size = crop(config, cases.cohort, "crop_size", multiple=net.size_multiple)
            evaluator = Evaluator(net, cases, inference(config, size), tuple(config["flips"]))
        course = Course.begin(
            run,
            config,
            folder,
            state,
            weights=weights,
            criterion=BY_DICE if "selection" in cases.held else LAST_EPOCH,
        )
    course.go(
        lambda hooks: optimise(state, config, cases, evaluator.inference, hooks=hooks),
        monitor=evaluator.monitor,
        finish=lambda: finish(evaluator, course),
        architecture=net.architecture,
        metadata=provenance(run, config, cases),
    )
    return state.best


def start(
    config: Mapping[str, Any], cases: SegmentationCases
) -> tuple[SegmentationNet, TrainingState]:
    """The network and its optimiser, fresh or resumed.

    Raises:
        ValueError: The network is impossible, or the checkpoint to resume from does not fit.
    """
    shape = settings.architecture(config, cases.labels)
    net = cast("SegmentationNet", build_net(shape, seed=config["seed"]))
    net = net.to(cases.fit.images.device)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=config["learning_rate"], weight_decay=config["weight_decay"]
    )
    average = None
    if config["average"] is not None:
        average = WeightAverage(net, decay=config["average"])
    state = TrainingState(net, optimizer, average=average)
    taken_up(state, shape, config)
    logger.info(
        "Network of %.2f M parameters on %s",
        parameter_count(net) / 1e6,
        cases.fit.images.device,
    )
    return net, state


def optimise(
    state: TrainingState,
    config: Mapping[str, Any],
    cases: SegmentationCases,
    seen: Inference,
    *,
    hooks: Sequence[Hook],
) -> None:
    """Train on augmented cases."""
    weights = settings.weights(config)

    def batches(epoch: int) -> Iterator[Labelled]:
        plans = case_plans(
            cases.fit,
            batch_size=config["batch_size"],
            size=seen.size,
            augmentation=settings.augmentation(config),
            intensity=settings.intensity(config),
            seed=config["seed"],
            epoch=epoch,
        )
        return (
            plan.make(cases.fit, labels=cases.labels, border=config["border"]) for plan in plans
        )

    train_by(
        lambda batch: segmentation_step(
            state.net, batch, state.optimizer, weights=weights, precision=config["precision"]
        ),
        state,
        batches,
        settings.recipe(config),
        steps_per_epoch=-(-len(cases.fit.cases) // config["batch_size"]),
        hooks=hooks,
    )


def provenance(run: Run, config: Mapping[str, Any], cases: SegmentationCases) -> dict[str, Any]:
    """What is stored with the weights, the cases that they have not seen among it."""
    apart = cases.held[FOLD].cases if FOLD in cases.held else ()
    return {
        "run": run._id,
        "name": config["name"],
        "dataset": config["dataset"],
        "fingerprint": cases.cohort.fingerprint,
        "seed": config["seed"],
        "flips": list(config["flips"]),
        **provenance_of_fold(config, apart),
    }


class Evaluator:
    """Measures a network on the cases of an experiment."""

    def __init__(
        self,
        net: SegmentationNet,
        cases: SegmentationCases,
        inference: Inference,
        flips: Sequence[int],
    ) -> None:
        self.net, self.cases, self.inference, self.flips = net, cases, inference, flips

    def on(self, split: str) -> list[CaseMetrics]:
        """Metrics of each case and label of a split."""
        bank = self.cases.held[split]
        return evaluate_segmentation(self.net, bank, self.inference, flips=self.flips)

    def monitor(self) -> dict[str, float]:
        """The figures of all splits.

        Raises:
            StoppedError: The run was asked to end.
        """
        metrics: dict[str, float] = {}
        for split in self.cases.held:
            with STOP.at_once():
                figures = aggregate_cases(self.on(split))
            metrics |= {f"{split}/{name}": value for name, value in figures.items()}
        return metrics


def finish(evaluator: Evaluator, course: Course) -> None:
    """Evaluate the best weights on the reported cases and draw what is worth looking at."""
    net, folder, history = evaluator.net, course.folder, course.record.history
    split = evaluator.cases.reported
    net.load_state_dict(load_checkpoint(course.best_weights()).weights)
    net.eval()
    rows = evaluator.on(split)
    write_cases(folder / f"cases_{split}.csv", rows)
    outputs.write_history(folder / "history.csv", history)
    outputs.draw_curves(folder / "curves.png", history)
    draw_panel(folder / "panel.png", evaluator, rows)
    figures = aggregate_cases(rows)
    labels = ", ".join(f"{figures[f'dice/label_{label}']:.3f}" for label in evaluator.cases.labels)
    logger.info(
        "Best weights on the %d %s cases: Dice %.3f (%s), Dice30 %.3f, HD95 %.2f",
        len(evaluator.cases.held[split].cases),
        SPLIT_NAMES[split],
        figures["dice"],
        labels,
        figures["dice30"],
        figures["hd95"],
    )


def write_cases(path: Path, rows: Sequence[CaseMetrics]) -> None:
    """Write metrics per case and label as CSV; the file appears whole or not at all."""
    names = [item.name for item in fields(CaseMetrics)]
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def draw_panel(path: Path, evaluator: Evaluator, rows: Sequence[CaseMetrics]) -> None:
    """Draw the worst, the median and the best of the reported cases."""
    bank = evaluator.cases.held[evaluator.cases.reported]
    dice = {
        case: aggregate_cases([row for row in rows if row.case == case])["dice"]
        for case in bank.cases
    }
    ranked = sorted(dice, key=lambda case: (dice[case], case))
    chosen = {"Worst": ranked[0], "Median": ranked[len(ranked) // 2], "Best": ranked[-1]}
    at = [bank.cases.index(case) for case in chosen.values()]
    images, truths = bank.images[at], bank.labels[at, 0].cpu().numpy()
    found = segment_cases(evaluator.net, images, evaluator.inference, flips=evaluator.flips)
    segmentation_panel(
        path,
        [
            (f"{word} case ({case})", image[0].cpu().numpy(), truth, label_map)
            for (word, case), image, truth, label_map in zip(
                chosen.items(), images, truths, found, strict=True
            )
        ],
        label_names=evaluator.cases.cohort.description.labels,
    )
