"""One training with everything around it: start, hooks, and what is left at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sacred.run import Run

from experiments import outputs, settings
from experiments.cases import Cases
from experiments.cost import MeasureCost
from experiments.errors import PlainError, said_plainly
from experiments.monitor import RecordEpochs, ShowProgress
from experiments.resume import LAST
from experiments.signals import STOP, StoppedError
from experiments.start import carry_checkpoints, start
from experiments.tracking import note, runs_folder
from hipreg.data.batches import training_plans
from hipreg.evaluation import aggregate
from hipreg.evaluation.network import Inference, NetworkEvaluation, evaluate_network
from hipreg.losses import Loss, Objective
from hipreg.models import RegistrationNet, load_net
from hipreg.training import (
    Evaluate,
    Hook,
    LostProcessError,
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
    with STOP.at_once():
        with said_plainly():
            net, state = start(config, cases.fit.images.device, runs_folder(run))
            goal = settings.objective(config, cases.labels)
            evaluator = Evaluator(net, cases, goal, seen_by(config, cases, net))
            seen_in_training(config, cases, net)  # refuses a crop that does not fit
            distributed.refuse_batch_norm(net)
        distributed.meet()  # from here the others follow: what can be wrong was said, once
        folder.mkdir(parents=True, exist_ok=True)
        if config["resume_from"] is not None:
            carry_checkpoints(config["resume_from"], folder)
            note(run, resumed_at_epoch=state.epoch)
        record, limit = RecordEpochs(run, goal), TimeLimit(config["max_minutes"])
    saving = SaveCheckpoints(
        folder,
        settings.architecture(config),
        metadata=provenance(run, config, cases),
        every=config["save_every"],
        epochs=config["epochs"],
    )
    hooks = [
        StopOnDivergence(),
        limit,
        Evaluate(evaluator.monitor, every=config["eval_every"], epochs=config["epochs"]),
        MeasureCost(run, net, cases, evaluator.inference),
        record,
        saving,
        ShowProgress(epochs=config["epochs"], every=config["print_every"]),
        StopOnSignal(),
    ]
    with full_disk_said_plainly(run), left_resumable(run, state, saving):
        optimise(state, goal, config, cases, team=team, hooks=hooks)
        if limit.reached:
            logger.info("Stopped by max_minutes=%s after epoch %d", limit.minutes, state.epoch)
        with STOP.at_once():
            finish(evaluator, folder, record)
    leave(run, folder)
    logger.info("Weights, metrics per pair, curves and panel: %s", folder)
    return state.best


def follow(config: Mapping[str, Any], cases: Cases, runs: Path, *, team: Team) -> None:
    """The same training in a process that does not lead, and so evaluates and records nothing.

    Args:
        config: As in ``fit``.
        cases: As in ``fit``.
        runs: The folder of all runs.
        team: The processes that train together.
    """
    _, state = start(config, cases.fit.images.device, runs)
    optimise(state, settings.objective(config, cases.labels), config, cases, team=team)


class StopOnSignal(Hook):
    """End training after the step in which it was asked to end."""

    def on_step(self, state: TrainingState, loss: Loss, done: int, total: int) -> None:
        STOP.check()


@contextmanager
def left_resumable(run: Run, state: TrainingState, saving: SaveCheckpoints) -> Iterator[None]:
    """Write a checkpoint of the last whole step before a training that is broken off ends.

    A run that is stopped after its last epoch has that epoch's checkpoint already.
    """
    try:
        yield
    except (StoppedError, LostProcessError) as error:
        where = f"after epoch {state.epoch}"
        if state.so_far is not None:
            where = f"after step {state.so_far.steps} of epoch {state.epoch + 1}"
            try:
                saving.save(LAST, state)
            except OSError as problem:
                logger.warning("%s. It can be resumed from the checkpoint before", problem)
        leave(run, saving.folder)
        if isinstance(error, StoppedError):
            raise StoppedError(error.signal, where + how_to_go_on(run)) from None
        raise


@contextmanager
def full_disk_said_plainly(run: Run) -> Iterator[None]:
    """Turn what the system says of files into one message."""
    try:
        yield
    except OSError as error:
        raise PlainError(f"{error}{how_to_go_on(run)}") from error


def how_to_go_on(run: Run) -> str:
    """What to do with a run that was broken off."""
    return "" if run._id is None else f"; go on with: python experiments/train.py resume {run._id}"


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


def seen_in_training(config: Mapping[str, Any], cases: Cases, net: RegistrationNet) -> Size:
    """The crop that the network is trained on."""
    return settings.crop(config, cases.cohort, "crop_size", multiple=net.size_multiple)


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
    """Hand all files to the run's observers."""
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            run.add_artifact(path)
