"""From the flat values of a segmentation's configuration to what hipreg's functions take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hipreg.data.augment import Augmentation
from hipreg.data.intensity import IntensityChange
from hipreg.losses import SEGMENTATION_TERMS
from hipreg.models import SegmentationArchitecture
from hipreg.training import Recipe


def architecture(config: Mapping[str, Any], labels: Sequence[int]) -> SegmentationArchitecture:
    """The network that a configuration describes, for a data set's labels."""
    return SegmentationArchitecture(
        labels=tuple(labels),
        widths=tuple(config["widths"]),
        blocks=tuple(config["blocks"]),
        stride=config["stride"],
    )


def weights(config: Mapping[str, Any]) -> dict[str, float]:
    """The weight of each term of the loss.

    Raises:
        ValueError: If one is negative, or all are 0.
    """
    found = {term: float(config[f"weight_{term}"]) for term in SEGMENTATION_TERMS}
    if min(found.values()) < 0 or not any(found.values()):
        raise ValueError(f"weights must be 0 or more, one above 0, got {found}")
    return found


def augmentation(config: Mapping[str, Any]) -> Augmentation:
    """What may be drawn of flips and affine maps."""
    return Augmentation(
        flips=bool(config["flips"]),
        flip_axes=tuple(config["flips"]),
        quarter_turns=False,
        affine=config["affine"],
        every_axis=config["every_axis"],
        max_rotation=config["max_rotation"],
        max_translation=config["max_translation"],
        max_zoom=config["max_zoom"],
    )


def intensity(config: Mapping[str, Any]) -> IntensityChange:
    """What may be drawn of changes of intensity."""
    return IntensityChange(
        max_gamma=config["max_gamma"],
        max_brightness=config["max_brightness"],
        max_noise=config["max_noise"],
    )


def recipe(config: Mapping[str, Any]) -> Recipe:
    """How the loss is minimised."""
    return Recipe(
        epochs=config["epochs"],
        learning_rate=config["learning_rate"],
        schedule=config["schedule"],
        precision=config["precision"],
    )
