"""Conventions and the types that every layer of hipreg shares.

Tensors are (B, C, D, H, W): batch, channels, and the three axes of the NIfTI array in its own
order. A displacement is (B, 3, D, H, W) in voxels, its channels in the order D, H, W. It lives on
the fixed grid and is pulled back: ``warped(x) = moving(x + displacement(x))``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Protocol

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

Size = tuple[int, int, int]
"""Voxels along D, H, W."""

Image = Float[Tensor, "B 1 D H W"]
"""Intensities in [0, 1]; exactly 0 marks voxels that the scan did not cover."""

LabelMap = UInt8[Tensor, "B 1 D H W"]
"""Hard labels; 0 is background."""

Displacement = Float[Tensor, "B 3 D H W"]
"""Voxels, on the fixed grid, pull-back."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A batch of image pairs with their labels, all on one grid.

    Attributes:
        moving: (B, 1, D, H, W) images to be deformed.
        fixed: (B, 1, D, H, W) images that stay as they are.
        moving_label: (B, 1, D, H, W) hard labels of ``moving``.
        fixed_label: (B, 1, D, H, W) hard labels of ``fixed``.
    """

    moving: Image
    fixed: Image
    moving_label: LabelMap
    fixed_label: LabelMap

    def __post_init__(self) -> None:
        shapes = {field.name: tuple(getattr(self, field.name).shape) for field in fields(self)}
        if len(set(shapes.values())) != 1:
            raise ValueError(f"a pair needs four volumes of one shape, got {shapes}")
        if self.moving.ndim != 5 or self.moving.shape[1] != 1:
            raise ValueError(
                f"a pair's volumes are (B, 1, D, H, W), got {tuple(self.moving.shape)}"
            )

    def __len__(self) -> int:
        return len(self.fixed)

    def of(self, pairs: slice) -> Pair:
        """Some pairs of the batch."""
        return Pair(*(getattr(self, field.name)[pairs] for field in fields(self)))

    def both_directions(self) -> Pair:
        """The pairs followed by the same pairs with moving and fixed exchanged: batch 2B."""
        return Pair(
            moving=torch.cat([self.moving, self.fixed]),
            fixed=torch.cat([self.fixed, self.moving]),
            moving_label=torch.cat([self.moving_label, self.fixed_label]),
            fixed_label=torch.cat([self.fixed_label, self.moving_label]),
        )


@dataclass(frozen=True, slots=True)
class Labelled:
    """A batch of images, each with what is to be said of it.

    Attributes:
        images: (B, 1, D, H, W).
        targets: (B, L, D, H, W) in [0, 1], how much of each voxel each of L labels has; what is
            left to 1 is the background.
    """

    images: Image
    targets: Float[Tensor, "B L D H W"]

    def __post_init__(self) -> None:
        images, targets = tuple(self.images.shape), tuple(self.targets.shape)
        if (
            len(images) != 5
            or images[1] != 1
            or (images[0], images[2:])
            != (
                targets[0],
                targets[2:],
            )
        ):
            raise ValueError(
                "labelled images are (B, 1, D, H, W) with targets (B, L, D, H, W), got "
                f"{images} and {targets}"
            )

    def __len__(self) -> int:
        return len(self.images)


class Transform(Protocol):
    """From predicted parameters to a displacement."""

    @property
    def identity(self) -> float:
        """The value of all parameters that stands for the identity."""

    def __call__(self, parameters: Tensor) -> Displacement:
        """(B, 3, d, h, w) parameters to (B, 3, D, H, W) voxels, differentiable."""


@dataclass(frozen=True)
class Registration:
    """What every registration network returns: parameters, and how they become a displacement.

    Displacements are made when they are asked for. Training never holds those of a whole batch.

    Attributes:
        parameters: (B, 3, d, h, w) each; the prediction of each of the S resolutions of deep
            supervision on its own grid, the finest first. S is 1 without it.
        transform: Makes a displacement of any of them.
    """

    parameters: tuple[Float[Tensor, "B 3 _ _ _"], ...]
    transform: Transform

    @cached_property
    def displacement(self) -> Displacement:
        """(B, 3, D, H, W) in voxels: the finest prediction, the one that is used."""
        return self.transform(self.parameters[0])

    @property
    def displacements(self) -> tuple[Displacement, ...]:
        """The predictions of all resolutions on the full grid, the finest first."""
        return (self.displacement, *(self.transform(coarse) for coarse in self.parameters[1:]))

    @property
    def deviation(self) -> Float[Tensor, "B 3 d h w"]:
        """How far the finest parameters are from those of the identity; regularised."""
        return self.parameters[0] - self.transform.identity

    def of(self, pairs: slice) -> Registration:
        """Some pairs of the batch."""
        return replace(self, parameters=tuple(p[pairs] for p in self.parameters))
