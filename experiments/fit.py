"""One training with everything around it: start, hooks, and what is left at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from sacred.run import Run

from experiments import outputs, settings
from experiments.cases import Cases
from experiments.cost import MeasureCost
from experiments.course import Course
from experiments.errors import said_plainly
from experiments.families import instance_goal
from experiments.folds import SPLIT_NAMES, provenance_of_fold
from experiments.segmenters import refuse_seen_segmenter
from experiments.signals import STOP
from experiments.start import start
from experiments.table import one_line
from experiments.tracking import note_guide, note_start, runs_folder
from hipreg.evaluation import aggregate
from hipreg.evaluation.network import Inference, NetworkEvaluation, evaluate_network
from hipreg.losses import Objective
from hipreg.models import PairNet, load_net
from hipreg.prediction import Refinement
from hipreg.prediction.refined import Refined
from hipreg.training import Hook, Team, TrainingState, compile_network, distributed, train
from hipreg.training.distributed import ALONE
from hipreg.training.step import Registrar
from hipreg.types import Pair, Size

logger = logging.getLogger(__name__)


def fit(
    run: Run,
    config: Mapping[str, Any],
    cases: Cases,
    folder: Path,
    *,
    team: Team = ALONE,
    at_end: Callable[[Path], None] | None = None,
) -> float | None:
    """Train, then evaluate the best weights on the pairs that are reported.

    Args:
        run: Gets metrics and artifacts.
        config: Plain values, see ``experiments.configs``.
        cases: What to train and evaluate on.
        folder: Gets checkpoints, metrics per pair and pictures.
        team: The processes that train together, of which this one leads.
        at_end: Called with the folder of a training that came to its end; may add files to it.

    Returns:
        The best value of what chooses the weights: usually the Dice on the selection pairs.
    """
    with STOP.at_once():
        with said_plainly():
            refuse_seen_segmenter(config, cases.apart)
            net, state = start(
                config,
                cases.fit.device,
                runs_folder(run),
                report=partial(note_start, run),
                report_guide=partial(note_guide, run),
            )
            goal = settings.objective(config, cases.labels)
            refinement = Refinement(steps=config["instance_steps"], goal=instance_goal(config))
            evaluator = Evaluator(net, cases, goal, seen_by(config, cases, net))
            seen_in_training(config, cases, net)  # refuses a crop that does not fit
            distributed.refuse_batch_norm(net)
        distributed.meet()  # from here the others follow: what can be wrong was said, once
        course = Course.begin(
            run,
            config,
            folder,
            state,
            weights=goal.weights,
            settings={"lcc_window": float(goal.lcc_window)},
            criterion=cases.criterion,
        )

    def end() -> None:
        finish(evaluator, course, refinement)
        if at_end is not None:
            at_end(folder)

    course.go(
        lambda hooks: optimise(state, goal, config, cases, team=team, hooks=hooks),
        monitor=evaluator.monitor,
        measures=[MeasureCost(run, net, cases, evaluator.inference)],
        finish=end,
        architecture=settings.architecture(config),
        metadata=provenance(run, config, cases),
    )
    return state.best


def follow(config: Mapping[str, Any], cases: Cases, runs: Path, *, team: Team) -> None:
    """The same training in a process that does not lead, and so evaluates and records nothing.

    Args:
        config: As in ``fit``.
        cases: As in ``fit``.
        runs: The folder of all runs.
        team: The processes that train together.
    """
    _, state = start(config, cases.fit.device, runs)
    optimise(state, settings.objective(config, cases.labels), config, cases, team=team)


def optimise(
    state: TrainingState,
    goal: Objective,
    config: Mapping[str, Any],
    cases: Cases,
    *,
    team: Team,
    hooks: Sequence[Hook] = (),
) -> None:
    """Train on this process's share of every batch, and part from the other processes."""
    net = cast("PairNet", state.net)
    size = seen_in_training(config, cases, net)

    def batches(epoch: int) -> Iterator[Pair]:
        return cases.fit.batches(
            batch_size=config["batch_size"],
            size=size,
            augmentation=settings.augmentation(config),
            seed=config["seed"],
            epoch=epoch,
            share=team.share,
        )

    distributed.share_weights(net)
    if config["compile"]:
        compile_network(
            net,
            torch.zeros(config["batch_size"], 1, *size, device=cases.fit.device),
            symmetric=config["symmetric"],
            precision=config["precision"],
        )
    train(
        state,
        goal,
        batches,
        settings.recipe(config),
        steps_per_epoch=-(-len(cases.fit) // config["batch_size"]),
        hooks=hooks,
    )
    distributed.disconnect()


def seen_in_training(config: Mapping[str, Any], cases: Cases, net: PairNet) -> Size:
    """The crop that the network is trained on."""
    return settings.crop(config, cases.cohort, "crop_size", multiple=net.size_multiple)


def seen_by(config: Mapping[str, Any], cases: Cases, net: PairNet) -> Inference:
    """How the network is evaluated; its crop is that of training unless the config says other."""
    key = "crop_size" if config["val_crop_size"] is None else "val_crop_size"
    size = settings.crop(config, cases.cohort, key, multiple=net.size_multiple)
    return settings.inference(config, size)


def provenance(run: Run, config: Mapping[str, Any], cases: Cases) -> dict[str, Any]:
    """What is stored with the weights."""
    return {
        "run": run._id,
        "name": config["name"],
        "dataset": config["dataset"],
        "fingerprint": cases.cohort.fingerprint,
        "labels": list(cases.labels),
        "seed": config["seed"],
        **provenance_of_fold(config, cases.apart),
    }


class Evaluator:
    """Evaluates a network on the pairs of an experiment."""

    def __init__(self, net: PairNet, cases: Cases, goal: Objective, inference: Inference) -> None:
        self.net, self.cases, self.goal, self.inference = net, cases, goal, inference
        self.registrar: Registrar = net

    def refine(self, refinement: Refinement) -> None:
        """From here on, register with these steps of instance optimisation."""
        if refinement.steps:
            self.registrar = Refined(self.net, refinement, self.goal.lcc_window)

    def on(self, split: str) -> NetworkEvaluation:
        """Metrics and losses on a split's pairs."""
        return evaluate_network(
            self.registrar,
            self.cases.held,
            self.cases.pairs[split],
            self.inference,
            objective=self.goal,
        )

    def monitor(self) -> dict[str, float]:
        """The numbers of all splits; the losses of ``train`` are those of its batches.

        Raises:
            StoppedError: The run was asked to end.
        """
        metrics: dict[str, float] = {}
        for split in self.cases.pairs:
            with STOP.at_once():
                found = self.on(split)
            metrics |= {f"{split}/{name}": value for name, value in aggregate(found.rows).items()}
            if split != "train":
                metrics |= {
                    f"{split}/loss/{name}" if name else f"{split}/loss": value
                    for name, value in found.losses.items()
                }
        return metrics


def finish(evaluator: Evaluator, course: Course, refinement: Refinement) -> None:
    """Evaluate the best weights on the reported pairs and draw what is worth looking at."""
    folder, history, cases = course.folder, course.record.history, evaluator.cases
    split = cases.reported
    evaluator.net.load_state_dict(load_net(course.best_weights()).state_dict())
    evaluator.net.eval()
    evaluator.refine(refinement)
    found = evaluator.on(split)
    outputs.write_metrics(folder / f"pairs_{split}.csv", found.rows)
    if cases.labels:
        outputs.write_metrics(
            folder / "pairs_unregistered.csv", outputs.unregistered(cases, split)
        )
    outputs.write_history(folder / "history.csv", history)
    outputs.draw_curves(folder / "curves.png", history)
    outputs.draw_panel(
        folder / "panel.png",
        evaluator.registrar,
        cases,
        outputs.median_pair(found.rows),
        evaluator.inference,
    )
    logger.info(
        "Best weights on the %d %s pairs: %s",
        len(cases.pairs[split]),
        SPLIT_NAMES.get(split, split),
        one_line(aggregate(found.rows) | {"loss": found.losses[""]}),
    )
