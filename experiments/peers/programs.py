"""The registration programs that can be asked for. To add one: write its adapter, name it here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.errors import PlainError
from experiments.peers import ants_syn, convex_adam, demons, elastix
from experiments.peers.peer import Field, Peer, Settings, Volume


def unregistered(moving: Volume, fixed: Volume, settings: Settings) -> Field:
    """No displacement at all: the pair as it is."""
    return np.zeros((3, *fixed.shape), dtype=np.float32)


IDENTITY = Peer("identity", "Unregistered", unregistered, {})

PEERS = {
    peer.name: peer
    for peer in (IDENTITY, demons.PEER, elastix.PEER, convex_adam.PEER, ants_syn.PEER)
}
"""By name, in the order of the tables."""


def chosen(names: Sequence[str]) -> list[Peer]:
    """The programs of these names, all without any, in the tables' order.

    Raises:
        PlainError: A name is unknown, or a program is not installed; says what to install.
    """
    unknown = sorted(set(names) - set(PEERS))
    if unknown:
        raise PlainError(f"no peer {', '.join(unknown)}; there are {', '.join(PEERS)}")
    asked = [peer for name, peer in PEERS.items() if name in names or not names]
    missing = [peer for peer in asked if not peer.installed]
    if missing:
        ways = "; ".join(dict.fromkeys(peer.install for peer in missing))
        raise PlainError(
            f"not installed: {', '.join(peer.name for peer in missing)}. Install with: {ways}, "
            f"or name others: {', '.join(name for name, peer in PEERS.items() if peer.installed)}"
        )
    return asked


def changed(peer: Peer, changes: dict[str, Any]) -> Settings:
    """A peer's settings with some of them changed.

    Raises:
        PlainError: It has no such setting.
    """
    unknown = sorted(set(changes) - set(peer.settings))
    if unknown:
        raise PlainError(
            f"{peer.name} has no setting {', '.join(unknown)}; it has "
            f"{', '.join(peer.settings) or 'none'}"
        )
    return {**peer.settings, **changes}
