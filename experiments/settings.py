"""From the flat values of a configuration to what hipreg's functions take."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from experiments import families
from hipreg.data import Cohort, tight_size
from hipreg.data.augment import Augmentation
from hipreg.evaluation.network import Inference
from hipreg.losses import Objective
from hipreg.models import CLASSIC_VNET, Architecture, Described
from hipreg.training import Recipe, choose_device, keep_freed_memory
from hipreg.types import Size

LOSS_TERMS = ("lcc", "mse", "dice", "l1", "l2", "diffusion", "parameter_diffusion", "bending")
MODELS = ("vnet", "velocity")
SINGLE_CONVOLUTIONS = (1,) * len(CLASSIC_VNET)


def architecture(config: Mapping[str, Any]) -> Described:
    """The network that a configuration describes.

    Raises:
        ValueError: If there is no such model, or its description is impossible.
    """
    if config["model"] not in MODELS:
        raise ValueError(f"model must be one of {MODELS}, got {config['model']!r}")
    if config["model"] == "velocity":
        return families.described(config)
    if config["segmenter"] is not None:
        raise ValueError("segmenter guides velocity networks alone: say model=velocity as well")
    usual = CLASSIC_VNET if config["classic_vnet"] else SINGLE_CONVOLUTIONS
    return Architecture(
        channels=tuple(config["channels"]),
        channel_multiplication=config["channel_multiplication"],
        pool_blocks=config["pool_blocks"],
        convolutions=tuple(config["convolutions"] or usual),
        norm=config["norm"],
        activation=config["activation"],
        last_activation=config["last_activation"],
        zero_init=config["zero_init"],
        freeze_last_layer=config["freeze_last_layer"],
        deep_supervision=config["deep_supervision"],
        input_stride=config["input_stride"],
    )


def objective(config: Mapping[str, Any], labels: Sequence[int]) -> Objective:
    """The objective over a data set's labels."""
    weights = {term: float(config[f"weight_{term}"]) for term in LOSS_TERMS}
    return Objective(weights, labels=tuple(labels), lcc_window=config["lcc_window"])


def augmentation(config: Mapping[str, Any]) -> Augmentation:
    """What may be drawn in training."""
    return Augmentation(
        flips=config["flips"],
        quarter_turns=config["quarter_turns"],
        affine=config["affine"],
        max_rotation=config["max_rotation"],
        max_translation=config["max_translation"],
        max_zoom=config["max_zoom"],
        random_crop=config["random_crop"],
    )


def recipe(config: Mapping[str, Any]) -> Recipe:
    """How the objective is minimised."""
    return Recipe(
        epochs=config["epochs"],
        learning_rate=config["learning_rate"],
        schedule=config["schedule"],
        symmetric=config["symmetric"],
        precision=config["precision"],
    )


def crop(config: Mapping[str, Any], cohort: Cohort, key: str, *, multiple: int) -> Size:
    """The crop size of a configuration's entry ``key`` on a cohort.

    Raises:
        ValueError: If it is neither None, "tight", a side nor three sides, or does not suit the
            cohort or the network.
    """
    wanted = config[key]
    if wanted is None:
        size = cohort.size
    elif wanted == "tight":
        size = tight_size(cohort, multiple)
    else:
        sides = [wanted] * 3 if isinstance(wanted, int) else wanted
        if isinstance(sides, str) or len(sides) != 3:
            raise ValueError(f'{key} must be None, "tight", a side or [D, H, W], got {wanted!r}')
        size = (int(sides[0]), int(sides[1]), int(sides[2]))
    fits = all(0 < a <= b for a, b in zip(size, cohort.size, strict=True))
    if not fits or any(side % multiple for side in size):
        raise ValueError(
            f"{key}={wanted!r} gives {size}: each side must be a multiple of {multiple} (for the "
            f"network's poolings) and fit into the data's grid {cohort.size}"
        )
    return size


def inference(config: Mapping[str, Any], size: Size) -> Inference:
    """How networks are evaluated."""
    return Inference(size=size, batch_size=config["batch_size"], precision=config["precision"])


def device(config: Mapping[str, Any]) -> torch.device:
    """The device to train on; also readies the process: its threads and its allocator.

    Raises:
        ValueError: If there is no such device.
    """
    threads = config["threads"]
    torch.set_num_threads(len(os.sched_getaffinity(0)) if threads is None else threads)
    keep_freed_memory()
    return choose_device(config["device"])
