"""What is done at test time, as a table of variants: each changes one thing of the reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import torch

from hipreg.models import FlowNet, Guidance, GuidedNet, Model
from hipreg.models.velocity_net import STRIDE
from hipreg.prediction import Refinement
from hipreg.prediction.velocity import LABELS, VelocityGoal
from hipreg.spatial import VelocityIntegration
from hipreg.types import Image, Registration

NETWORK, ZERO = "network", "zero"
"""Where the optimisation of a velocity starts."""

STEPS = (0, 20, 40)
WEIGHTS = {"lcc": (0.0, 1.0), "diffusion": (0.15, 0.5), "divergence": (0.0, 0.4, 1.5)}
"""What is tried of each, that of the reference among it or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How pairs are registered by a trained network.

    Attributes:
        steps: Of instance optimisation, at most.
        goal: What they minimise.
        shifted: Whether predicted labels are averaged over images moved by a voxel, too.
        start: ``NETWORK`` or ``ZERO``, which is no deformation.
    """

    steps: int = 40
    goal: VelocityGoal = LABELS
    shifted: bool = True
    start: str = NETWORK

    @property
    def refinement(self) -> Refinement:
        """What is done beside the network's prediction."""
        return Refinement(steps=self.steps, goal=asdict(self.goal))

    def told(self) -> dict[str, Any]:
        """As it is recorded."""
        return asdict(self)

    def values(self) -> dict[str, Any]:
        """Each value by name, those of the goal beside the others."""
        told = self.told()
        goal: dict[str, Any] = told.pop("goal")
        return told | goal

    def of(self, model: Model) -> Model:
        """A model as this variant uses it; the networks are shared, so use one variant at a time.

        Args:
            model: Of a guided network.
        """
        net = cast("GuidedNet", model.net)
        net.shifted = self.shifted
        return replace(model, net=AtRest(net)) if self.start == ZERO else model


def variants() -> Mapping[str, Variant]:
    """What is compared with ``Variant()``, by name."""
    found = {f"steps {steps}": Variant(steps=steps) for steps in STEPS}
    for name, values in WEIGHTS.items():
        for value in values:
            found[f"{name} {value:g}"] = Variant(goal=replace(LABELS, **{name: value}))
    found = {name: variant for name, variant in found.items() if variant != Variant()}
    return found | {
        "both directions": Variant(goal=replace(LABELS, both_directions=True)),
        "not shifted": Variant(shifted=False),
        "zero start": Variant(start=ZERO),
    }


class AtRest(FlowNet):
    """A network that predicts no motion; what guides the optimisation is that of another one."""

    def __init__(self, net: FlowNet) -> None:
        super().__init__()
        self.net = net

    @property
    def size_multiple(self) -> int:
        return self.net.size_multiple

    def guidance(self, moving: Image, fixed: Image) -> Guidance | None:
        return self.net.guidance(moving, fixed)

    def forward(
        self, moving: Image, fixed: Image, guidance: Guidance | None = None
    ) -> Registration:
        self.check(moving, fixed)
        d, h, w = fixed.shape[2:]
        velocity = fixed.new_zeros(len(fixed), 3, *(side // STRIDE for side in (d, h, w)))
        return Registration((velocity,), VelocityIntegration((d, h, w)))

    def both_directions(
        self, moving: Image, fixed: Image, guidance: Guidance | None = None
    ) -> Registration:
        return self(torch.cat([moving, fixed]), torch.cat([fixed, moving]))
