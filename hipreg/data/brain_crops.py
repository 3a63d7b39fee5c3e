"""Crops of whole brains that look as the scans of the hippocampus task do.

Those scans all show a left hippocampus, or a right one that was mirrored, with their axes to the
right, to the front and upwards: the labels of all 260 labelled cases curve as the left hippocampus
of a brain with known sides does. So crops on the right are mirrored here.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hipreg.data.brains import Brain, BrainBox, locate_brain, read_brain
from hipreg.data.checks import Fault, raise_faults
from hipreg.data.cohort import Cohort
from hipreg.data.description import DatasetDescription, PercentileWindow
from hipreg.data.frame import on_frame, ras_directions
from hipreg.data.io import DataError, Volume
from hipreg.data.pairs import CasePair, reversed_pairs
from hipreg.data.placement import Placement
from hipreg.data.store import allocate, built_once, key_of, load_prepared, stamps, write_meta
from hipreg.types import Size

logger = logging.getLogger(__name__)

VERSION = 1
"""Raised whenever the same images give other crops."""

MNI_WIDTH, MNI_BACK, MNI_LENGTH, MNI_TOP = 135.0, -102.3, 172.6, 78.3
"""mm: what ``locate_brain`` finds in the template ICBM 152 (nonlinear, 2009)."""

HIPPOCAMPUS_MNI = (27.1, -20.3, -10.2)
"""mm right, anterior and superior in MNI space: the middle of the right hippocampus, the mean of
both sides of the atlas AAL (Tzourio-Mazoyer et al., NeuroImage 2002), one of them mirrored."""

Progress = Callable[[Iterable[list[Fault]], int], Iterable[list[Fault]]]
"""Wraps what is done for each of so many images, to show how far it is."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a brain, see ``BrainBox.point``.

    Attributes:
        right: From the middle to the right, in shares of the brain's width.
        forward: From its back, in shares of its length.
        below: From its top, in shares of its length.
        mirrored: Whether left and right are exchanged.
    """

    right: float
    forward: float
    below: float
    mirrored: bool


def hippocampi() -> tuple[Place, ...]:
    """The left hippocampus, and the right one mirrored."""
    right, anterior, superior = HIPPOCAMPUS_MNI
    forward = (anterior - MNI_BACK) / MNI_LENGTH
    below = (MNI_TOP - superior) / MNI_LENGTH
    side = right / MNI_WIDTH
    return Place(-side, forward, below, False), Place(side, forward, below, True)


def random_places(count: int, *, seed: int) -> tuple[Place, ...]:
    """Places inside the brain, the same of every subject.

    Args:
        count: At least 1.
        seed: Of the choice.

    Raises:
        ValueError: If the count is not positive.
    """
    if count < 1:
        raise ValueError(f"at least one place is needed, got {count}")
    drawn = np.random.default_rng(seed).uniform(
        (-0.27, 0.22, 0.2), (0.27, 0.78, 0.5), size=(count, 3)
    )
    return tuple(
        Place(float(right), float(forward), float(below), bool(right > 0))
        for right, forward, below in drawn
    )


def description_of(layout: str) -> DatasetDescription:
    """What hipreg is to know of crops of brains: they have no labels."""
    return DatasetDescription(
        name=layout,
        title=f"Brain MRI ({layout})",
        labels={},
        size=(64, 64, 64),
        spacing=1.0,
        intensity=PercentileWindow(),
    )


def crop_at(
    volume: Volume, box: BrainBox, place: Place, description: DatasetDescription
) -> npt.NDArray[np.float32]:
    """One crop, read from the image once: reoriented, resampled, normalised.

    Args:
        volume: A whole brain.
        box: Where the brain lies in it.
        place: What to crop.
        description: Says size, spacing and intensity window.

    Returns:
        (D, H, W) in [0, 1], exactly 0 where there is no scan, or none left of it.

    Raises:
        DataError: The image shows nothing there; does not name the file.
    """
    to_world = crop_affine(volume, box, place, description, description.size)
    return on_frame(
        volume, to_world, description.size, description.intensity, "brain", zeros_covered=False
    )


def crop_affine(
    volume: Volume, box: BrainBox, place: Place, description: DatasetDescription, size: Size
) -> npt.NDArray[np.float64]:
    """(4, 4), from the voxels of a crop to the image's world."""
    to_world = np.eye(4)
    to_world[:3, :3] = ras_directions(volume.affine) * description.spacing
    if place.mirrored:
        to_world[:3, 0] *= -1
    centre = box.point(place.right, place.forward, place.below)
    middle = (np.array(size) - 1) / 2
    to_world[:3, 3] = centre - to_world[:3, :3] @ middle
    return to_world


def prepared_crops(
    brains: Sequence[Brain],
    places: Sequence[Place],
    *,
    layout: str,
    cache_dir: Path,
    progress: Progress = lambda items, _: items,
) -> Cohort:
    """The crops of all brains, prepared first where that is needed.

    Args:
        brains: One image a subject.
        places: What to crop of each; crop p of brain b is case ``b * len(places) + p + 1``.
        layout: How the data set is called.
        cache_dir: Folder of the caches; made where needed.
        progress: Shows how far the preparation is.

    Raises:
        DataError: Some files are bad (all are named), or the cache cannot be written.
    """
    description = description_of(layout)
    key = key_of(
        {
            "version": VERSION,
            "places": [astuple(place) for place in places],
            "size": description.size,
            "spacing": description.spacing,
            "intensity": repr(description.intensity),
            "sources": stamps([brain.path for brain in brains]),
        }
    )
    folder = cache_dir / f"{layout}-{key}"
    cohort = load_prepared(folder, description, key)
    if cohort is not None:
        return cohort
    logger.info("preparing %d crops of %d brains", len(brains) * len(places), len(brains))

    def build(temporary: Path) -> None:
        _build(temporary, brains, places, description, key=key, progress=progress)

    return built_once(folder, description, key, build)


def _build(
    folder: Path,
    brains: Sequence[Brain],
    places: Sequence[Place],
    description: DatasetDescription,
    *,
    key: str,
    progress: Progress,
) -> None:
    count = len(brains) * len(places)
    images: npt.NDArray[np.float32] = allocate(
        folder / "images.npy", np.float32, (count, *description.size)
    )
    digests = [""] * count

    def fill(number: int) -> list[Fault]:
        brain = brains[number]
        try:
            volume = read_brain(brain.path)
            box = locate_brain(volume)
            for k, place in enumerate(places):
                row = number * len(places) + k
                images[row] = crop_at(volume, box, place, description)
                digests[row] = hashlib.sha256(images[row].tobytes()).hexdigest()
        except DataError as error:
            return [Fault(brain.path, str(error))]
        return []

    pool = ThreadPoolExecutor(max_workers=os.cpu_count())
    try:
        results = progress(pool.map(fill, range(len(brains))), len(brains))
        faults = [fault for found in results for fault in found]
    finally:
        pool.shutdown(cancel_futures=True)  # one who stops this does not wait for all brains
    raise_faults(faults, description.title)
    write_meta(
        folder,
        key,
        shape=images.shape,
        cases=range(1, count + 1),
        labelled=[False] * count,
        placements=[Placement.identity(description.size)] * count,
        digests=digests,
    )


def crop_pairs(numbers: Sequence[int], places: int, *, most: int) -> list[CasePair]:
    """Evaluation pairs of two different subjects at the same place.

    Args:
        numbers: Positions of subjects in the list of brains.
        places: Crops a subject.
        most: Pairs at most, evenly over the places.
    """
    pairs = [pair for pair in reversed_pairs(numbers) if pair.fixed != pair.moving]
    chosen = pairs[: max(1, most // places)]
    return [
        CasePair(pair.fixed * places + place + 1, pair.moving * places + place + 1)
        for place in range(places)
        for pair in chosen
    ]
