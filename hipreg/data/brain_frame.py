"""The grid of a registration on a hippocampus of two whole brains."""

from __future__ import annotations

from typing import Literal

from hipreg.data.brain_crops import crop_affine, hippocampi
from hipreg.data.brains import locate_brain
from hipreg.data.description import DatasetDescription
from hipreg.data.frame import Frame
from hipreg.data.io import DataError, Volume
from hipreg.types import Size

Side = Literal["left", "right"]
SIDES: tuple[Side, ...] = ("left", "right")


def hippocampus_frame(
    fixed: Volume, moving: Volume, *, side: Side, size: Size, description: DatasetDescription
) -> Frame:
    """Place a grid on the same hippocampus of two brains, each found in its own image.

    The brains need no common world: each is found by its outline, and its hippocampus where the
    atlas has it, see ``hipreg.data.brain_crops``. The right one is mirrored on the grid, since
    the cases of the hippocampus task all look as left ones do.

    Args:
        fixed: A head with or without its skull, whose header says where its axes point.
        moving: Another.
        side: Which hippocampus, of the person and not of the picture.
        size: Voxels D, H, W of the grid.
        description: Says their edge.

    Raises:
        ValueError: The side is none.
        DataError: An image shows no whole brain; says which.
    """
    if side not in SIDES:
        raise ValueError(f"a side is one of {SIDES}, got {side!r}")
    place = hippocampi()[SIDES.index(side)]
    affines = []
    for name, volume in (("fixed", fixed), ("moving", moving)):
        try:
            box = locate_brain(volume)
        except DataError as error:
            raise DataError(
                f"the {name} image: {error}. The {side} hippocampus is looked for in whole "
                "brains; for a part of one choose another alignment, and a centre"
            ) from error
        affines.append(crop_affine(volume, box, place, description, size))
    return Frame(size, affines[0], affines[1], side)
