"""Weights on disk: plain types only, written atomically, read strictly."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hipreg.files import replacing, space_left
from hipreg.models.described import Described
from hipreg.models.kinds import build_net, from_plain, to_plain
from hipreg.models.pair_net import PairNet

FORMAT = "hipreg-checkpoint-1"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used, with the file's name and what to do."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network with where it comes from and, for resuming, the state of its training.

    Attributes:
        architecture: What the weights belong to, of any kind (see ``hipreg.models.kinds``).
        weights: The network's state dict.
        metadata: Plain values: data set, run, metrics.
        training: Optimiser state and counters; empty for weights alone.
    """

    architecture: Described
    weights: Mapping[str, Tensor]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InitReport:
    """What ``initialise_from`` did: names of loaded and of skipped weights."""

    loaded: tuple[str, ...]
    skipped: tuple[str, ...]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint so that at any moment the file is the old or the new one, whole.

    Raises:
        OSError: It cannot be written; the old one is kept.
    """
    content = {
        "format": FORMAT,
        "architecture": to_plain(checkpoint.architecture),
        "weights": dict(checkpoint.weights),
        "metadata": dict(checkpoint.metadata),
        "training": dict(checkpoint.training),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(path) as part:
            torch.save(content, part)
    except (OSError, RuntimeError) as error:
        # torch hides what the system said behind words of its own.
        hidden = isinstance(error, RuntimeError) and "inline_container" in str(error)
        why = "the disk took only a part of it" if hidden else str(error)
        raise OSError(
            f"{path}: the checkpoint cannot be written: {why}; {space_left(path)}"
        ) from error


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        CheckpointError: If the file is missing, truncated, a pickle with code in it, or another
            program's.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint; give the path of a .pt file of hipreg")
    try:
        # Bare pickles, which could run code, are not even opened.
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"{path}: not a readable checkpoint of plain tensors ({type(error).__name__}); "
            "it is truncated, or written by another program"
        ) from error
    found = content.get("format") if isinstance(content, dict) else type(content).__name__
    if found != FORMAT:
        raise CheckpointError(f"{path}: expected a checkpoint of format {FORMAT}, found {found}")
    return Checkpoint(
        architecture=architecture_from(content["architecture"], path),
        weights=content["weights"],
        metadata=content["metadata"],
        training=content["training"],
    )


def architecture_from(values: Mapping[str, Any], path: Path) -> Described:
    """The architecture that a file describes in plain values, of whatever kind.

    Raises:
        CheckpointError: If the kind is unknown, entries are missing or unknown, or a value is
            impossible.
    """
    try:
        return from_plain(values)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error


def load_net(path: Path) -> PairNet:
    """The registration network of a checkpoint, every weight accounted for.

    Raises:
        CheckpointError: As ``load_checkpoint``, or if weights are missing, extra or misshapen, or
            the network is of a kind that does not register.
    """
    return registering(network_of(load_checkpoint(path), path), path)


def network_of(checkpoint: Checkpoint, path: Path) -> nn.Module:
    """The network, of any kind, of a checkpoint that was read from ``path``.

    Raises:
        CheckpointError: If weights are missing, extra or misshapen.
    """
    net = build_net(checkpoint.architecture)
    try:
        net.load_state_dict(checkpoint.weights, strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return net


def registering(net: nn.Module, path: Path) -> PairNet:
    """The same network, known to register.

    Raises:
        CheckpointError: If it does something else.
    """
    if not isinstance(net, PairNet):
        raise CheckpointError(
            f"{path}: holds a {type(net).__name__}, which does not register; give the weights of "
            "a registration network"
        )
    return net


def initialise_from(net: nn.Module, path: Path) -> InitReport:
    """Start a network from pretrained weights, the project's only partial load.

    The heads of deep supervision may be absent on either side; they are skipped and named.
    Everything else must fit.

    Args:
        net: Changed in place.
        path: A checkpoint, typically of pretraining.

    Returns:
        Which of the network's weights were loaded and which keep their initial values.

    Raises:
        CheckpointError: If any weight of encoder or decoder is missing, extra or of another shape.
    """
    found = load_checkpoint(path).weights
    wanted = net.state_dict()
    faults = [
        f"{name}: found {tuple(found[name].shape)}, expected {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in found and found[name].shape != value.shape
    ]
    odd = set(found) ^ set(wanted)
    faults += [f"{name}: on one side only" for name in sorted(odd) if not _optional(name)]
    if faults:
        raise CheckpointError(
            f"{path}: the pretrained weights do not fit this network ("
            + "; ".join(faults[:5])
            + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")
            + "). Train with the channels, poolings and convolutions of pretraining"
        )
    loaded = {name: found[name] for name in wanted if name in found}
    net.load_state_dict({**wanted, **loaded}, strict=True)
    skipped = sorted(set(wanted) - set(loaded))
    return InitReport(loaded=tuple(loaded), skipped=tuple(skipped))


def _optional(name: str) -> bool:
    return name.startswith("decoder.coarse_heads.")
