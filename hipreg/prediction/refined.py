"""A network together with what is done at test time to better its registrations."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hipreg.models import PairNet
from hipreg.prediction.network import predict
from hipreg.prediction.options import Refinement
from hipreg.types import Displacement, Image, Registration


@dataclass(frozen=True, slots=True)
class Given:
    """The transform of displacements that are known already."""

    @property
    def identity(self) -> float:
        """The displacement of the identity."""
        return 0.0

    def __call__(self, parameters: Displacement) -> Displacement:
        """The same displacements."""
        return parameters


@dataclass(frozen=True, slots=True)
class Refined:
    """To be evaluated like a network.

    Attributes:
        net: In evaluation mode.
        refinement: What is done beside its one prediction.
        lcc_window: Side of the window of instance optimisation in voxels.
    """

    net: PairNet
    refinement: Refinement
    lcc_window: int = 9

    def __call__(self, moving: Image, fixed: Image) -> Registration:
        """Register moving to fixed, without gradient."""
        with torch.inference_mode(False):
            found = predict(
                self.net,
                moving.clone(),
                fixed.clone(),
                self.refinement,
                lcc_window=self.lcc_window,
            )
        return Registration((found,), Given())

    def both_directions(self, moving: Image, fixed: Image) -> Registration:
        """Register both directions, first moving to fixed: batch 2B."""
        return self(torch.cat([moving, fixed]), torch.cat([fixed, moving]))
