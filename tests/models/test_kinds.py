"""Descriptions of several kinds of network, as plain values and as files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from hipreg.models import (
    Architecture,
    Checkpoint,
    CheckpointError,
    Kind,
    build_net,
    kind_of,
    kinds,
    load_checkpoint,
    load_net,
    network_of,
    save_checkpoint,
)
from hipreg.models.kinds import from_plain, to_plain
from hipreg.models.velocity_net import VelocityArchitecture
from tests.helpers import TINY


@dataclass(frozen=True, slots=True, kw_only=True)
class Layered:
    """A network of linear layers around another network."""

    widths: tuple[int, ...] = (2, 3)
    inner: Architecture = TINY


def build_layered(architecture: Layered, *, seed: int = 0) -> nn.Module:
    net = nn.Sequential(nn.Linear(*architecture.widths[:2]))
    nn.init.constant_(net[0].weight, float(seed))
    return net


@pytest.fixture
def layered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    known = dict(kinds.KINDS) | {"layered": Kind(Layered, build_layered)}
    monkeypatch.setattr(kinds, "KINDS", known)
    return


@pytest.mark.usefixtures("layered")
def test_another_kind_goes_through_a_file_whole(tmp_path: Path) -> None:
    shape = Layered(inner=Architecture(channel_multiplication=2))
    net = build_net(shape, seed=3)
    save_checkpoint(tmp_path / "net.pt", Checkpoint(shape, net.state_dict()))
    found = load_checkpoint(tmp_path / "net.pt")
    assert found.architecture == shape
    again = network_of(found, tmp_path / "net.pt")
    assert torch.equal(again.get_parameter("0.weight"), net.get_parameter("0.weight"))


@pytest.mark.usefixtures("layered")
def test_descriptions_within_descriptions_survive_json() -> None:
    shape = Layered(widths=(4, 5))
    assert from_plain(json.loads(json.dumps(to_plain(shape)))) == shape
    assert to_plain(shape)["inner"]["kind"] == "vnet"
    assert kind_of(shape) == "layered"


@pytest.mark.usefixtures("layered")
def test_a_network_that_does_not_register_is_refused_where_one_must(tmp_path: Path) -> None:
    net = build_net(Layered())
    save_checkpoint(tmp_path / "net.pt", Checkpoint(Layered(), net.state_dict()))
    with pytest.raises(CheckpointError, match=r"net\.pt: .*does not register"):
        load_net(tmp_path / "net.pt")


def test_what_describes_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match="Layered describes no kind"):
        build_net(Layered())


def test_a_velocity_network_from_before_it_could_be_another_is_antisymmetric() -> None:
    plain = to_plain(VelocityArchitecture())
    del plain["antisymmetric"]
    assert from_plain(plain) == VelocityArchitecture(antisymmetric=True)
