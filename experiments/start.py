"""How a training starts: fresh, from pretrained weights, or where another run ended."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from experiments import settings
from experiments.pretrained import starting_weights
from experiments.resume import LAST, checkpoint_of, may_finish
from experiments.run_folder import copy_file
from experiments.segmenters import give_segmenter
from hipreg.models import (
    CheckpointError,
    Described,
    GuidedNet,
    InitReport,
    PairNet,
    build_net,
    initialise_from,
    load_checkpoint,
    parameter_count,
)
from hipreg.training import TrainingState

logger = logging.getLogger(__name__)


def start(
    config: Mapping[str, Any],
    device: torch.device,
    runs: Path,
    *,
    report: Callable[[Path, InitReport], None] = lambda weights, found: None,
    report_guide: Callable[[Path], None] = lambda weights: None,
) -> tuple[PairNet, TrainingState]:
    """The network and its optimiser, fresh, pretrained or resumed.

    Args:
        config: See ``experiments.configs``.
        device: Gets the network.
        runs: The folder of all runs.
        report: Told of the weights that the network was started from.
        report_guide: Told of those of the segmentation network that guides it.

    Raises:
        ValueError: The weights to start from are missing or do not fit, saying what to do.
    """
    shape = settings.architecture(config)
    net = fresh(shape, config, report_guide=report_guide).to(device)
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    state = TrainingState(net, torch.optim.Adam(trained, lr=config["learning_rate"]))
    if not taken_up(state, shape, config):
        weights = starting_weights(config["init_from"], shape, runs)
        if weights is not None:
            report(weights, initialise(net, weights))
    logger.info("Network of %.2f M parameters on %s", parameter_count(net) / 1e6, device)
    return net, state


def fresh(
    shape: Described,
    config: Mapping[str, Any],
    *,
    report_guide: Callable[[Path], None] = lambda weights: None,
) -> PairNet:
    """A network as it is before it sees any pair."""
    net = build_net(shape, seed=config["seed"])
    if not isinstance(net, PairNet):
        raise ValueError(f"a {type(net).__name__} registers no pairs")
    if isinstance(net, GuidedNet):
        report_guide(give_segmenter(net, config))
    return net


def initialise(net: PairNet, weights: Path) -> InitReport:
    """Take over pretrained weights, and say which."""
    report = initialise_from(net, weights)
    logger.info("Started from %s: %d weights loaded", weights, len(report.loaded))
    if report.skipped:
        logger.info("  not in it, so freshly initialised: %s", ", ".join(report.skipped))
    return report


def taken_up(state: TrainingState, shape: Described, config: Mapping[str, Any]) -> bool:
    """Go on where the run that ``config`` resumes has a checkpoint; returns whether there is one.

    Raises:
        ValueError: The checkpoint does not suit the configuration, saying what to do.
    """
    source = config["resume_from"]
    checkpoint = None if source is None else checkpoint_of(source)
    if checkpoint is not None:
        resume(state, checkpoint, shape, epochs=config["epochs"], finish=may_finish(checkpoint))
    elif source is not None:
        logger.info("%s was stopped before its first checkpoint: starting anew", source)
    return checkpoint is not None


def resume(
    state: TrainingState, path: Path, architecture: Described, *, epochs: int, finish: bool
) -> None:
    """Continue from a checkpoint's weights, optimiser and epoch.

    Args:
        state: Changed in place.
        path: The checkpoint.
        architecture: Of the network.
        epochs: Of the whole training.
        finish: Whether a checkpoint of the last epoch is welcome: its run was stopped before the
            evaluation at its end.

    Raises:
        CheckpointError: If it is of another network, holds weights alone, or is finished.
    """
    checkpoint = load_checkpoint(path)
    if checkpoint.architecture != architecture:
        raise CheckpointError(
            f"{path}: of the network {checkpoint.architecture}, and this run's is {architecture}: "
            "resume with the configuration that it was trained with"
        )
    if not checkpoint.training:
        raise CheckpointError(f"{path}: holds weights without a training to resume; use init_from")
    done = checkpoint.training["epoch"]
    if done > epochs or (done == epochs and not finish):
        raise CheckpointError(
            f"{path}: already trained for {done} epochs of {epochs}; raise epochs to go on"
        )
    state.net.load_state_dict(checkpoint.weights, strict=True)
    state.load_state_dict(dict(checkpoint.training))
    within = f", step {state.so_far.steps} of the next," if state.so_far else ""
    logger.info("Resumed after epoch %d%s of %s", state.epoch, within, path)


def carry_checkpoints(resume_from: str, folder: Path) -> None:
    """Take over the last and the best weights of the run that is resumed.

    The best may stay the best, and a run that is killed before its own first checkpoint can be
    resumed, too. Where the file system allows they take no place: checkpoints are replaced and
    never changed.
    """
    checkpoint = checkpoint_of(resume_from)
    if checkpoint is None:
        return
    for name, source in (("best.pt", checkpoint.with_name("best.pt")), (LAST, checkpoint)):
        target = folder / name
        if not source.is_file() or target.exists():
            continue
        try:
            os.link(source, target)
        except OSError:
            copy_file(source, target)
