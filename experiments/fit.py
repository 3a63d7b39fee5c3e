"""One training with everything around it: start, hooks, and what is left at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from sacred.run import Run

from experiments import outputs, settings
from experiments.cases import Cases
from experiments.errors import said_plainly
from experiments.monitor import RecordEpochs, ShowProgress
from experiments.pretrained import starting_weights
from experiments.run_folder import copy_file
from hipreg.data.batches import training_plans
from hipreg.evaluation import aggregate
from hipreg.evaluation.network import Inference, NetworkEvaluation, evaluate_network
from hipreg.losses import Objective
from hipreg.models import (
    Architecture,
    CheckpointError,
    RegistrationNet,
    build,
    initialise_from,
    load_checkpoint,
    load_net,
    parameter_count,
)
from hipreg.training import (
    Evaluate,
    Hook,
    SaveCheckpoints,
    StopOnDivergence,
    Team,
    TimeLimit,
    TrainingState,
    compile_network,
    distributed,
    train,
)
from hipreg.training.distributed import ALONE
from hipreg.types import Pair, Size

logger = logging.getLogger(__name__)


def fit(
    run: Run, config: Mapping[str, Any], cases: Cases, folder: Path, *, team: Team = ALONE
) -> float | None:
    """Train, then evaluate the best weights on the validation pairs.

    Args:
        run: Gets metrics and artifacts.
        config: Plain values, see ``experiments.configs``.
        cases: What to train and evaluate on.
        folder: Gets checkpoints, metrics per pair and pictures.
        team: The processes that train together, of which this one leads.

    Returns:
        The best Dice on the selection pairs.
    """
    with said_plainly():
        net, state = start(config, cases.fit.images.device)
        goal = settings.objective(config, cases.labels)
        evaluator = Evaluator(net, cases, goal, seen_by(config, cases, net))
        seen_in_training(config, cases, net)  # refuses a crop that does not fit
        distributed.refuse_batch_norm(net)
    record, limit = RecordEpochs(run, goal), TimeLimit(config["max_minutes"])
    distributed.meet()  # from here the others follow: all that can be wrong has been said, once
    folder.mkdir(parents=True, exist_ok=True)
    carry_best(config, folder)
    hooks = [
        StopOnDivergence(),
        limit,
        Evaluate(evaluator.monitor, every=config["eval_every"], epochs=config["epochs"]),
        SaveCheckpoints(
            folder,
            settings.architecture(config),
            metadata=provenance(run, config, cases),
            every=config["save_every"],
            epochs=config["epochs"],
        ),
        record,
        ShowProgress(epochs=config["epochs"], every=config["print_every"]),
    ]
    optimise(state, goal, config, cases, team=team, hooks=hooks)
    if limit.reached:
        logger.info("Stopped by max_minutes=%s after epoch %d", limit.minutes, state.epoch)
    finish(evaluator, folder, record)
    leave(run, folder)
    return state.best


def follow(config: Mapping[str, Any], cases: Cases, *, team: Team) -> None:
    """The same training in a process that does not lead, and so evaluates and records nothing."""
    _, state = start(config, cases.fit.images.device)
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
    size = seen_in_training(config, cases, state.net)

    def batches(epoch: int) -> Iterator[Pair]:
        plans = training_plans(
            cases.fit,
            batch_size=config["batch_size"],
            size=size,
            augmentation=settings.augmentation(config),
            seed=config["seed"],
            epoch=epoch,
        )
        return (plan.part(team.share(len(plan))).make(cases.fit) for plan in plans)

    distributed.share_weights(state.net)
    if config["compile"]:
        compile_network(
            state.net,
            torch.zeros(config["batch_size"], 1, *size, device=cases.fit.images.device),
            symmetric=config["symmetric"],
            precision=config["precision"],
        )
    train(
        state,
        goal,
        batches,
        settings.recipe(config),
        steps_per_epoch=-(-len(cases.fit.cases) // config["batch_size"]),
        hooks=hooks,
    )
    distributed.disconnect()


def start(
    config: Mapping[str, Any], device: torch.device
) -> tuple[RegistrationNet, TrainingState]:
    """The network and its optimiser, fresh, pretrained or resumed."""
    shape = settings.architecture(config)
    net = build(shape, seed=config["seed"]).to(device)
    weights = starting_weights(config["init_from"], shape)
    if weights is not None:
        report = initialise_from(net, weights)
        logger.info("Started from %s: %d weights loaded", weights, len(report.loaded))
        if report.skipped:
            logger.info("  not in it, so freshly initialised: %s", ", ".join(report.skipped))
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    state = TrainingState(net, torch.optim.Adam(trained, lr=config["learning_rate"]))
    if config["resume_from"] is not None:
        resume(state, Path(config["resume_from"]), shape, epochs=config["epochs"])
    logger.info("Network of %.2f M parameters on %s", parameter_count(net) / 1e6, device)
    return net, state


def seen_in_training(config: Mapping[str, Any], cases: Cases, net: RegistrationNet) -> Size:
    """The crop that the network is trained on."""
    return settings.crop(config, cases.cohort, "crop_size", multiple=net.size_multiple)


def resume(state: TrainingState, path: Path, architecture: Architecture, *, epochs: int) -> None:
    """Continue from a checkpoint's weights, optimiser and epoch.

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
    if checkpoint.training["epoch"] >= epochs:
        raise CheckpointError(
            f"{path}: already trained for {epochs} epochs; raise epochs to go on"
        )
    state.net.load_state_dict(checkpoint.weights, strict=True)
    state.load_state_dict(dict(checkpoint.training))
    logger.info("Resumed after epoch %d of %s", state.epoch, path)


def carry_best(config: Mapping[str, Any], folder: Path) -> None:
    """Take over the best weights of the run that is resumed: it may stay the best."""
    if config["resume_from"] is not None:
        best = Path(config["resume_from"]).with_name("best.pt")
        if best.is_file():
            copy_file(best, folder / "best.pt")


def seen_by(config: Mapping[str, Any], cases: Cases, net: RegistrationNet) -> Inference:
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
    }


class Evaluator:
    """Evaluates a network on the pairs of an experiment."""

    def __init__(
        self, net: RegistrationNet, cases: Cases, goal: Objective, inference: Inference
    ) -> None:
        self.net, self.cases, self.goal, self.inference = net, cases, goal, inference

    def on(self, split: str) -> NetworkEvaluation:
        """Metrics and losses on a split's pairs."""
        return evaluate_network(
            self.net,
            self.cases.held,
            self.cases.pairs[split],
            self.inference,
            objective=self.goal,
        )

    def monitor(self) -> dict[str, float]:
        """The numbers of all splits; the losses of ``train`` are those of its batches."""
        metrics: dict[str, float] = {}
        for split in self.cases.pairs:
            found = self.on(split)
            metrics |= {f"{split}/{name}": value for name, value in aggregate(found.rows).items()}
            if split != "train":
                metrics |= {
                    f"{split}/loss/{name}" if name else f"{split}/loss": value
                    for name, value in found.losses.items()
                }
        return metrics


def finish(evaluator: Evaluator, folder: Path, record: RecordEpochs) -> None:
    """Evaluate the best weights on the validation pairs and draw what is worth looking at."""
    best = folder / "best.pt"
    weights = best if best.exists() else folder / "last.pt"
    evaluator.net.load_state_dict(load_net(weights).state_dict())
    evaluator.net.eval()
    rows = evaluator.on("val").rows
    outputs.write_metrics(folder / "pairs_val.csv", rows)
    outputs.write_metrics(
        folder / "pairs_unregistered.csv", outputs.unregistered(evaluator.cases, "val")
    )
    outputs.write_history(folder / "history.csv", record.history)
    outputs.draw_curves(folder / "curves.png", record.history)
    outputs.draw_panel(
        folder / "panel.png",
        evaluator.net,
        evaluator.cases,
        outputs.median_pair(rows),
        evaluator.inference,
    )
    figures = aggregate(rows)
    logger.info(
        "Best weights on the %d validation pairs: Dice %.3f, Dice30 %.3f, HD95 %.2f, "
        "SDlogJ %.3f, folding %.4f %%",
        len(evaluator.cases.pairs["val"]),
        *(figures[name] for name in ("dice", "dice30", "hd95", "sdlogj")),
        100 * figures["folding"],
    )


def leave(run: Run, folder: Path) -> None:
    """Hand all files to the run's observers and say where they are."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            run.add_artifact(path)
    logger.info("Weights, metrics per pair, curves and panel: %s", folder)
