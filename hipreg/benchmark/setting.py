"""What a measured training step depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hipreg.models import Architecture
from hipreg.types import Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One training step to be measured.

    Attributes:
        architecture: Of the network.
        size: Voxels D, H, W.
        batch: Pairs of a step.
        precision: ``float32`` or ``bfloat16``, of the network.
        symmetric: Both directions in every step.
    """

    architecture: Architecture
    size: Size
    batch: int
    precision: str = "float32"
    symmetric: bool = True

    @property
    def channels(self) -> float:
        """The factor on the network's channels."""
        return self.architecture.channel_multiplication

    @property
    def work(self) -> float:
        """Roughly how long a step takes, in units of no meaning; for the time to go."""
        d, h, w = self.size
        directions = 2 if self.symmetric else 1
        return d * h * w * self.batch * directions * (1 + 0.2 * self.channels**2)

    def __str__(self) -> str:
        way = "symmetric" if self.symmetric else "one way"
        return f"channels {self.channels:g}, {size_name(self.size)}, batch {self.batch}, {way}"

    def plain(self) -> dict[str, Any]:
        """Plain values, for files."""
        return asdict(self)

    @staticmethod
    def of(values: Mapping[str, Any]) -> Setting:
        """The setting of plain values (see ``plain``)."""
        inner = {name: _tuples(value) for name, value in values["architecture"].items()}
        outer = {name: _tuples(value) for name, value in values.items()}
        return Setting(**{**outer, "architecture": Architecture(**inner)})


def architecture_of(channels: float) -> Architecture:
    """The published network with other channels.

    Its heads start at random: at the identity, where training starts, warps would read voxels in
    order and gradients would vanish.
    """
    return Architecture(channel_multiplication=channels, zero_init=False)


def size_name(size: Size) -> str:
    """As in ``48x64x48``."""
    return "x".join(str(side) for side in size)


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
