"""An exponential moving average of a network's weights, beside those that are trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """The average of a network's parameters over the last steps.

    At first it is short, so that the initial weights are soon forgotten: after n updates, the
    weight of the past is at most (1 + n) / (10 + n).

    Args:
        net: Whose parameters are averaged; the average starts from what they are.
        decay: Weight of the past in [0, 1); the average goes over about 1 / (1 - decay) steps.

    Raises:
        ValueError: If ``decay`` lies outside its range.
    """

    def __init__(self, net: nn.Module, *, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"the weight of the past lies in [0, 1), got {decay}")
        self.net, self.decay, self.updates = net, decay, 0
        self.values = [parameter.detach().clone() for parameter in net.parameters()]

    def update(self) -> None:
        """Take in the network's weights as they are."""
        past = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self.values, self._trained(), 1 - past)
        self.updates += 1

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Let the network have the average; its trained weights are back at the end."""
        trained = [parameter.clone() for parameter in self._trained()]
        self._give(self.values)
        try:
            yield
        finally:
            self._give(trained)

    def state_dict(self) -> dict[str, Any]:
        """Plain values to go on from: the average and the trained weights."""
        return {
            "values": [value.clone() for value in self.values],
            "trained": [parameter.clone() for parameter in self._trained()],
            "updates": self.updates,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was taken; the network gets its trained weights back."""
        for value, kept in zip(self.values, state["values"], strict=True):
            value.copy_(kept)
        self._give(state["trained"])
        self.updates = state["updates"]

    def _trained(self) -> list[Tensor]:
        return [parameter.detach() for parameter in self.net.parameters()]

    def _give(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self._trained(), values, strict=True):
            parameter.copy_(value)
