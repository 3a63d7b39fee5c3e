"""Trained segmentation networks that guide registration: finding them, and taking them over."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import run_folder
from experiments.errors import PlainError
from experiments.folds import refuse_seen
from experiments.records import COMPLETED, RunRecord, read_record
from experiments.resume import experiment_of
from hipreg.models import (
    Checkpoint,
    CheckpointError,
    Described,
    GuidedNet,
    load_checkpoint,
    network_of,
)

logger = logging.getLogger(__name__)

NEWEST = "newest"
"""The value of ``segmenter`` that asks for the newest finished segmentation of the same data."""

BEST = Path(run_folder.ARTIFACTS) / "best.pt"


def label_count(architecture: Described) -> int:
    """How many labels a segmentation network tells apart.

    Raises:
        PlainError: It is another kind of network.
    """
    labels = getattr(architecture, "labels", None)
    if labels is None:
        raise PlainError(
            f"segmenter: a {type(architecture).__name__} describes no segmentation network; give "
            "the run or weights of one"
        )
    return len(labels)


def segmenter_of(config: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint of a configuration's segmentation network.

    Raises:
        ValueError: It is missing or unusable.
    """
    return load_checkpoint(path_of(config))


def refuse_seen_segmenter(config: Mapping[str, Any], apart: Sequence[int]) -> None:
    """Refuse labels predicted by a network that has seen cases which are to be left out.

    Raises:
        ValueError: It has, or it is missing or unusable.
    """
    if apart and config["segmenter"] is not None:
        what = f"segmenter={config['segmenter']}: that network"
        refuse_seen(segmenter_of(config), apart, what)


def give_segmenter(net: GuidedNet, config: Mapping[str, Any]) -> Path:
    """Load the trained segmentation network into a fresh guided one; returns whence.

    Raises:
        ValueError: It is missing or unusable.
    """
    path = path_of(config)
    trained = network_of(load_checkpoint(path), path)
    try:
        net.segmenter.load_state_dict(trained.state_dict(), strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: {error}") from error
    logger.info("Guided by the segmentation network of %s", path)
    return path


def path_of(config: Mapping[str, Any]) -> Path:
    """The weights that a configuration's ``segmenter`` stands for.

    It is a run's number, its folder, a file, or ``"newest"``.

    Raises:
        PlainError: There are none.
    """
    source, runs = config["segmenter"], run_folder.runs_root()
    if source == NEWEST:
        return _newest(runs, config["dataset"])
    path = runs / str(source) if str(source).isdecimal() else Path(str(source)).expanduser()
    if path.is_dir():
        path = path / BEST
    if not path.is_file():
        raise PlainError(
            f"segmenter={source}: there is no {path}; train one, or give the path of its weights"
        )
    return path


def _newest(runs: Path, dataset: str) -> Path:
    """The weights of the newest finished segmentation of a data set that left no fold out."""
    for number in sorted(run_folder.run_ids(runs), reverse=True):
        folder = runs / str(number)
        try:
            usable = _segments_all(read_record(folder), dataset)
        except (OSError, ValueError) as error:
            logger.debug("passed over %s: %s", folder, error)
            continue
        if usable and (folder / BEST).is_file():
            return folder / BEST
    raise PlainError(
        f"segmenter={NEWEST}: {runs} holds no finished segmentation of the data set {dataset}; "
        "train one first, as in python experiments/segment.py with best, or give the path of "
        "weights with segmenter=PATH"
    )


def _segments_all(record: RunRecord, dataset: str) -> bool:
    if experiment_of(record) != "segment":
        return False
    if record.status != COMPLETED:
        return False
    return record.config.get("dataset") == dataset and record.config.get("fold") is None
