"""Weights to start from: leaving them behind, and finding them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from experiments import run_folder
from experiments.records import COMPLETED, read_record
from hipreg.models import (
    Architecture,
    Checkpoint,
    CheckpointError,
    Described,
    load_checkpoint,
    save_checkpoint,
)

logger = logging.getLogger(__name__)

PRETRAINED = run_folder.PRETRAINED
WEIGHTS = f"{PRETRAINED}.pt"


def leave_pretrained(folder: Path) -> None:
    """Write the best weights of a finished pretraining where trainings look for them.

    Args:
        folder: The run's artifacts.
    """
    best = folder / "best.pt"
    found = load_checkpoint(best if best.exists() else folder / "last.pt")
    save_checkpoint(
        folder / WEIGHTS, Checkpoint(found.architecture, found.weights, found.metadata)
    )


def starting_weights(init_from: str | None, architecture: Described, runs: Path) -> Path | None:
    """The checkpoint to start from, or None to start from scratch.

    Args:
        init_from: None, a path, the number or folder of a pretraining run, or ``"pretrained"``.
        architecture: Of the network that is to be started.
        runs: The folder of all runs.

    Raises:
        CheckpointError: If there is none; says how to make or point to one.
    """
    if init_from is None:
        return None
    if init_from != PRETRAINED:
        return _pointed_to(str(init_from), runs)
    found = list(_newest_first(runs))
    for path in found:
        try:
            if fits(load_checkpoint(path).architecture, architecture):
                return path
        except CheckpointError as error:
            logger.warning("passed over: %s", error)
    raise CheckpointError(
        f"no pretrained weights for the network {architecture} among the {len(found)} "
        f"finished pretraining runs in {runs}: make them with the same network, as in python "
        "experiments/pretrain.py with quick synth for a training with quick, or point to weights "
        "or to a pretraining run with init_from=PATH"
    )


def fits(found: Described, wanted: Described) -> bool:
    """Whether one network can start from the weights of another.

    Of the V-Net, encoder and decoder must do the same with the same weights; the heads of deep
    supervision may be there or not, and how a fresh network starts does not matter.
    """
    if not (isinstance(found, Architecture) and isinstance(wanted, Architecture)):
        return found == wanted
    return _core(found) == _core(wanted)


def _core(a: Architecture) -> tuple[object, ...]:
    shape = (a.widths, a.convolutions[: a.pool_blocks], a.input_stride)
    return (*shape, a.norm, a.activation, a.last_activation)


def _pointed_to(init_from: str, runs: Path) -> Path:
    path = Path(init_from).expanduser()
    folder = runs / init_from if init_from.isdecimal() else path
    if not folder.is_dir():
        return path
    weights = folder / run_folder.ARTIFACTS / WEIGHTS
    if not weights.is_file():
        raise CheckpointError(
            f"{folder}: no finished pretraining, it lacks {weights.relative_to(folder)}; to start "
            "from the weights of a training, point to its artifacts/best.pt"
        )
    return weights


def _newest_first(runs: Path) -> Iterator[Path]:
    """Pretrained weights, the newest first, but those whose run says that it is not finished.

    A pretraining writes them at its very end, so that they can only be of one that was killed
    right then. A folder without a record was put there by hand, and is believed.
    """
    there = [(path.stat().st_mtime, path) for path in runs.glob(f"*/artifacts/{WEIGHTS}")]
    for _, path in sorted(there, reverse=True):
        folder = path.parent.parent
        if (folder / run_folder.RUN).is_file():
            try:
                status = read_record(folder.resolve()).status
            except (OSError, ValueError) as error:
                logger.warning("passed over: %s", error)
                continue
            if status != COMPLETED:
                logger.warning("passed over: %s is of a run that is %s", path, status)
                continue
        yield path
