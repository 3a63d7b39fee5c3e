"""The kinds of network there are: which description stands for which, and how each is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, cast

from torch import nn

from hipreg.models.build import Architecture, build
from hipreg.models.described import Described
from hipreg.models.guided_net import GuidedArchitecture, GuidedNet
from hipreg.models.segmentation import SegmentationArchitecture, build_segmentation
from hipreg.models.velocity_net import VelocityArchitecture, build_velocity_net


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of network.

    Attributes:
        architecture: The frozen dataclass that fixes the shape of its networks.
        build: Makes a fresh network of such a description; takes ``seed`` by keyword.
    """

    architecture: type
    build: Callable[..., nn.Module]


def _build_guided(architecture: GuidedArchitecture, *, seed: int = 0) -> GuidedNet:
    segmenter = build_net(architecture.segmenter, seed=seed)
    velocity = build_velocity_net(architecture.velocity, seed=seed)
    return GuidedNet(segmenter, velocity, flips=architecture.flips, shifted=architecture.shifted)


KINDS: Mapping[str, Kind] = {
    "vnet": Kind(Architecture, build),
    "segmentation": Kind(SegmentationArchitecture, build_segmentation),
    "velocity": Kind(VelocityArchitecture, build_velocity_net),
    "guided": Kind(GuidedArchitecture, _build_guided),
}
"""Every kind by the name that it has in files. To add one, add it here."""

BEFORE: Mapping[str, Mapping[str, Any]] = {"velocity": {"antisymmetric": True}}
"""Entries that files from before them lack, and what networks then were."""

UNSAID = "vnet"
"""What files are of that name no kind: those from before there were several."""


def build_net(architecture: Described, *, seed: int = 0) -> nn.Module:
    """A freshly initialised network of any kind.

    Args:
        architecture: Its description.
        seed: Of the initial weights; the global random state is left alone.

    Raises:
        ValueError: If the description is of no known kind, or says something impossible.
    """
    return KINDS[kind_of(architecture)].build(architecture, seed=seed)


def kind_of(architecture: Described) -> str:
    """The name of a description's kind.

    Raises:
        ValueError: If it is of none.
    """
    for name, kind in KINDS.items():
        if type(architecture) is kind.architecture:
            return name
    raise ValueError(
        f"{type(architecture).__name__} describes no kind of network, known are {sorted(KINDS)}"
    )


def to_plain(architecture: Described) -> dict[str, Any]:
    """A description as plain values, its kind under ``"kind"``; those within it likewise."""
    values = {item.name: getattr(architecture, item.name) for item in fields(architecture)}
    return {"kind": kind_of(architecture)} | {
        name: to_plain(cast("Described", value)) if is_dataclass(value) else value
        for name, value in values.items()
    }


def from_plain(values: Mapping[str, Any]) -> Described:
    """The description that plain values stand for; lists become tuples.

    Raises:
        ValueError: If the kind is unknown, entries are missing or unknown, or a value is
            impossible.
    """
    entries = {name: _restored(value) for name, value in values.items()}
    name = entries.pop("kind", UNSAID)
    if name not in KINDS:
        raise ValueError(
            f"its network is of the kind {name!r}, known are {sorted(KINDS)}; a newer version of "
            "hipreg may know it"
        )
    description = KINDS[name].architecture
    known = {item.name for item in fields(description)}
    entries = {**BEFORE.get(name, {}), **entries}
    if set(entries) != known:
        raise ValueError(
            f"its architecture has the entries {sorted(entries)}, expected {sorted(known)}"
        )
    try:
        return cast("Described", description(**entries))
    except TypeError as error:
        raise ValueError(f"its architecture is impossible: {error}") from error


def _restored(value: Any) -> Any:
    if isinstance(value, Mapping):
        return from_plain(value)
    return tuple(value) if isinstance(value, list) else value
