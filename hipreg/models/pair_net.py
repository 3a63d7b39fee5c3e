"""What training, evaluation and prediction need of any network that registers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from jaxtyping import Float
from torch import Tensor, nn

from hipreg.types import Image, Registration

Guidance = Float[Tensor, "2*B L D H W"]
"""How probable each label is in each voxel, of all moving images, then of all fixed ones."""


class PairNet(nn.Module, ABC):
    """A network from moving and fixed images to a registration."""

    if TYPE_CHECKING:

        def __call__(self, moving: Image, fixed: Image) -> Registration: ...

    @property
    @abstractmethod
    def size_multiple(self) -> int:
        """Every side of the images must be a multiple of this."""

    @abstractmethod
    def forward(self, moving: Image, fixed: Image) -> Registration:
        """Register moving to fixed.

        Args:
            moving: (B, 1, D, H, W) in [0, 1].
            fixed: (B, 1, D, H, W) in [0, 1].

        Returns:
            Displacements on the fixed grid, in voxels; float32 under autocast too.

        Raises:
            ValueError: If the shapes differ or a side is no multiple of ``size_multiple``.
        """

    @abstractmethod
    def both_directions(self, moving: Image, fixed: Image) -> Registration:
        """Register moving to fixed and fixed to moving.

        Returns:
            A registration of batch 2B: first moving to fixed, then fixed to moving, in the order
            of ``Pair.both_directions``.
        """

    def check(self, moving: Image, fixed: Image) -> None:
        """Refuse images that do not suit each other or the network.

        Raises:
            ValueError: As ``forward``.
        """
        if moving.shape != fixed.shape or moving.ndim != 5 or moving.shape[1] != 1:
            raise ValueError(
                "moving and fixed must be (B, 1, D, H, W) of one shape, got "
                f"{tuple(moving.shape)} and {tuple(fixed.shape)}"
            )
        if any(side % self.size_multiple for side in moving.shape[2:]):
            raise ValueError(
                f"every side of the images must be a multiple of {self.size_multiple} (for the "
                f"network's poolings), got {tuple(moving.shape[2:])}"
            )


class FlowNet(PairNet):
    """A network that predicts one stationary velocity a pair: the transform of what it returns is
    a ``VelocityIntegration``."""

    if TYPE_CHECKING:

        def __call__(
            self, moving: Image, fixed: Image, guidance: Guidance | None = None
        ) -> Registration: ...

    def guidance(self, moving: Image, fixed: Image) -> Guidance | None:
        """The labels that the network itself predicts, by which it registers; None without."""
        return None

    @abstractmethod
    def forward(
        self, moving: Image, fixed: Image, guidance: Guidance | None = None
    ) -> Registration:
        """Register moving to fixed; ``guidance`` is predicted where it is not given."""

    @abstractmethod
    def both_directions(
        self, moving: Image, fixed: Image, guidance: Guidance | None = None
    ) -> Registration:
        """The same velocity and its negative: batch 2B."""
