"""The model of a recorded run: its best weights, and how the run used them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments import run_folder
from experiments.errors import PlainError
from experiments.families import instance_goal
from experiments.settings import crop
from hipreg.data import DataNotFoundError, load_cohort
from hipreg.models import CheckpointError, Model, load_model
from hipreg.types import Size


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model with the run that trained it.

    Attributes:
        model: Ready to register.
        weights: The file that it was read from; None for a published model.
        run: The run's folder; None for weights without one.
        config: The run's configuration; empty without one.
    """

    model: Model
    weights: Path | None
    run: Path | None
    config: Mapping[str, Any]


def trained_model(source: str) -> TrainedModel:
    """The model of a run or of weights.

    Args:
        source: A run's number or folder, a .pt or .safetensors file, or a published model's name.

    Raises:
        PlainError: There is no such run or model, or its weights are unusable.
    """
    try:
        run = run_of(source)
        if run is None:
            return TrainedModel(load_model(source), None, None, {})
        return _of_run(run, _weights(run, source))
    except (CheckpointError, DataNotFoundError) as error:
        raise PlainError(str(error)) from error


def run_of(source: str) -> Path | None:
    """The run's folder that a number, a folder or a file of weights stands for, if any."""
    path = Path(source).expanduser()
    if source.isdecimal():
        path = run_folder.runs_root() / source
        if not path.is_dir():
            found = ", ".join(map(str, run_folder.run_ids(path.parent))) or "none"
            raise PlainError(f"no run {source} in {path.parent}; there are {found}")
        return path
    if path.is_dir():
        if not (path / run_folder.CONFIG).is_file():
            raise PlainError(f"{path}: no run's folder, it lacks {run_folder.CONFIG}")
        return path
    if path.suffix == ".pt" and (path.parent.parent / run_folder.CONFIG).is_file():
        return path.parent.parent
    return None


def read_config(run: Path) -> dict[str, Any]:
    """A run's configuration.

    Raises:
        PlainError: It cannot be read.
    """
    path = run / run_folder.CONFIG
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlainError(f"{path}: cannot be read ({error})") from error
    if not isinstance(loaded, dict):
        raise PlainError(f"{path}: expected an object, found a {type(loaded).__name__}")
    return loaded


def _weights(run: Path, source: str) -> Path:
    if source.endswith(".pt"):
        return Path(source).expanduser()
    best = run / run_folder.ARTIFACTS / "best.pt"
    if not best.is_file():
        raise PlainError(
            f"{run}: it left no weights ({best.relative_to(run)}); train it to an end"
        )
    return best


def _of_run(run: Path, weights: Path) -> TrainedModel:
    config = read_config(run)
    bare = load_model(weights)
    try:
        model = replace(
            bare,
            size=_seen(config, bare),
            symmetric=bool(config["symmetric"]),
            lcc_window=int(config["lcc_window"]),
            instance_steps=int(config.get("instance_steps", 0)),
            instance_goal=instance_goal(config),
        )
    except KeyError as error:
        raise PlainError(f"{run / run_folder.CONFIG}: it lacks the entry {error}") from error
    return TrainedModel(model, weights, run, config)


def _seen(config: Mapping[str, Any], bare: Model) -> Size:
    """The grid that the run evaluated its network on; "tight" takes its data to know."""
    key = "crop_size" if config["val_crop_size"] is None else "val_crop_size"
    if config[key] is None:
        return bare.description.size
    data_dir = Path(config["data_dir"]) if config["data_dir"] else None
    if data_dir is not None and not data_dir.exists():
        data_dir = None  # recorded on another machine: where this one has its data
    cohort = load_cohort(config["dataset"], data_dir=data_dir)
    return crop(config, cohort, key, multiple=bare.net.size_multiple)
