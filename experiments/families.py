"""The families of networks beside the published one: their entries, and named configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from experiments.errors import PlainError
from experiments.segmenters import NEWEST, label_count, segmenter_of
from hipreg.models import Described, GuidedArchitecture, VelocityArchitecture
from hipreg.prediction.velocity import VelocityGoal


def families() -> None:
    velocity_channels = [16, 32, 64, 64]  # channels of each level, half resolution first
    velocity_encoder = [1, 1, 1, 1]  # convolutions of each level of the encoder
    velocity_decoder = [1, 1, 1, 1]  # convolutions of each level of the decoder
    shown_labels = True  # guided: to the network too, and not to instance optimisation alone
    segmenter_flips = []  # axes (0, 1, 2) that predicted labels are averaged over mirrorings along
    segmenter_shifted = False  # average them over images moved by a voxel, too, at test time
    # --- instance optimisation of a velocity; None: as is usual, with predicted labels or without
    instance_lcc = None  # weight of 1 - LCC of the images
    instance_dice = None  # of 1 - expected Dice of predicted labels
    instance_diffusion = None  # of the mean squared derivative of the velocity
    instance_divergence = None  # of its mean squared divergence
    instance_both_directions = None  # take the mean of both directions, not moving to fixed alone


VELOCITY: Mapping[str, Any] = {
    "profile": "velocity",
    "model": "velocity",
    "crop_size": "tight",
    "deep_supervision": False,
    "symmetric": True,
    "flips": False,
    "quarter_turns": False,
    "max_rotation": 10.0,
    "max_translation": 3.0,
    "max_zoom": 0.1,
    "weight_l1": 0.0,
    "weight_dice": 5.0,
    "weight_diffusion": 2.0,
    "batch_size": 4,
    "learning_rate": 2e-3,
    "schedule": "one_cycle",
    "epochs": 40,
    "eval_every": 5,
    "save_every": 1,
}

BEST: Mapping[str, Any] = VELOCITY | {
    "profile": "best",
    "segmenter": NEWEST,
    "segmenter_shifted": True,
    "antisymmetric": False,
    "weight_lcc": 0.0,
    "weight_diffusion": 0.5,
    "merge_selection": True,
    "precision": "bfloat16",
    "instance_steps": 40,
    "epochs": 20,
    "eval_every": 20,
}
"""Of the labels that ``segment.py with best`` learns to predict, in one direction at a time."""

NAMED_FAMILIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "velocity": (
        "diffeomorphic and exactly inverse-consistent: one velocity a pair, coarse to fine",
        VELOCITY,
    ),
    "guided": (
        "the same, shown the labels that a trained segmentation network predicts; needs segmenter",
        VELOCITY | {"profile": "guided"},
    ),
    "best": (
        "the most accurate known: labels predicted by python experiments/segment.py with best, "
        "which comes first, and a velocity optimised on them",
        BEST,
    ),
}
"""Named configurations of these families, as ``experiments.configs.NAMED``."""

PROFILES = tuple(NAMED_FAMILIES)


def instance_goal(config: Mapping[str, Any]) -> dict[str, float | bool]:
    """What is unusual in what a configuration's instance optimisation minimises."""
    named = (item.name for item in fields(VelocityGoal))
    given = {name: config.get(f"instance_{name}") for name in named}
    return {name: value for name, value in given.items() if value is not None}


def described(config: Mapping[str, Any]) -> Described:
    """The velocity network that a configuration describes, guided if it names a segmenter.

    Raises:
        ValueError: The segmenter is missing or unusable, or an entry is impossible.
    """
    if config["profile"] == "guided" and config["segmenter"] is None:
        raise PlainError(
            "a guided network needs a trained segmentation network: say segmenter=RUN (its "
            "number), segmenter=PATH (a .pt file) or segmenter=newest"
        )
    segmenter = None if config["segmenter"] is None else segmenter_of(config)
    labels = 0 if segmenter is None else label_count(segmenter.architecture)
    velocity = VelocityArchitecture(
        channels=tuple(config["velocity_channels"]),
        encoder_convolutions=tuple(config["velocity_encoder"]),
        decoder_convolutions=tuple(config["velocity_decoder"]),
        features=labels if config["shown_labels"] else 0,
        deep_supervision=config["deep_supervision"],
        zero_init=config["zero_init"],
        antisymmetric=config["antisymmetric"],
    )
    if segmenter is None:
        return velocity
    return GuidedArchitecture(
        segmenter=segmenter.architecture,
        velocity=velocity,
        flips=tuple(config["segmenter_flips"]),
        shifted=config["segmenter_shifted"],
    )
