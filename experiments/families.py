"""The families of networks beside the published one: their entries, and named configurations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments import run_folder
from experiments.errors import PlainError
from hipreg.models import (
    Checkpoint,
    CheckpointError,
    Described,
    GuidedArchitecture,
    GuidedNet,
    PairNet,
    VelocityArchitecture,
    load_checkpoint,
    network_of,
)


def families() -> None:
    velocity_channels = [16, 32, 64, 64]  # channels of each level, half resolution first
    velocity_encoder = [1, 1, 1, 1]  # convolutions of each level of the encoder
    velocity_decoder = [1, 1, 1, 1]  # convolutions of each level of the decoder
    segmenter_flips = []  # axes (0, 1, 2) that predicted labels are averaged over mirrorings along


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

NAMED_FAMILIES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "velocity": (
        "diffeomorphic and exactly inverse-consistent: one velocity a pair, coarse to fine",
        VELOCITY,
    ),
    "guided": (
        "the same, shown the labels that a trained segmentation network predicts; needs segmenter",
        VELOCITY | {"profile": "guided"},
    ),
}
"""Named configurations of these families, as ``experiments.configs.NAMED``."""

PROFILES = tuple(NAMED_FAMILIES)


def described(config: Mapping[str, Any]) -> Described:
    """The velocity network that a configuration describes, guided if it names a segmenter.

    Raises:
        ValueError: The segmenter is missing or unusable, or an entry is impossible.
    """
    if config["profile"] == "guided" and config["segmenter"] is None:
        raise PlainError(
            "a guided network needs a trained segmentation network: say segmenter=RUN (its "
            "number) or segmenter=PATH (a .pt file)"
        )
    segmenter = None if config["segmenter"] is None else segmenter_of(config)
    velocity = VelocityArchitecture(
        channels=tuple(config["velocity_channels"]),
        encoder_convolutions=tuple(config["velocity_encoder"]),
        decoder_convolutions=tuple(config["velocity_decoder"]),
        features=0 if segmenter is None else label_count(segmenter.architecture),
        deep_supervision=config["deep_supervision"],
        zero_init=config["zero_init"],
    )
    if segmenter is None:
        return velocity
    return GuidedArchitecture(
        segmenter=segmenter.architecture,
        velocity=velocity,
        flips=tuple(config["segmenter_flips"]),
    )


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


def segmenter_path(source: str | int, runs: Path) -> Path:
    """The weights that an entry ``segmenter`` stands for: a run's number, its folder, or a file.

    Raises:
        PlainError: There are none.
    """
    path = runs / str(source) if str(source).isdecimal() else Path(str(source)).expanduser()
    if path.is_dir():
        path = path / run_folder.ARTIFACTS / "best.pt"
    if not path.is_file():
        raise PlainError(
            f"segmenter={source}: there is no {path}; train one, or give the path of its weights"
        )
    return path


def segmenter_of(config: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint of a configuration's segmentation network.

    Raises:
        ValueError: It is missing or unusable.
    """
    return load_checkpoint(segmenter_path(config["segmenter"], run_folder.runs_root()))


def give_segmenter(net: PairNet, config: Mapping[str, Any]) -> None:
    """Load the trained segmentation network into a fresh guided one.

    Raises:
        ValueError: It is missing or unusable.
    """
    if not isinstance(net, GuidedNet):
        return
    path = segmenter_path(config["segmenter"], run_folder.runs_root())
    trained = network_of(load_checkpoint(path), path)
    try:
        net.segmenter.load_state_dict(trained.state_dict(), strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: {error}") from error
