"""What hipreg knows of a data set: one description per data set, one small file each.

Number of labels, volume size, intensity window, pair rule and folder layouts live here and
nowhere else. To add a data set, add ``hipreg/data/datasets/<name>.py`` with a module constant
``DESCRIPTION``.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from hipreg.data import datasets
from hipreg.data.pairs import PairRule, reversed_pairs
from hipreg.types import Size


@dataclass(frozen=True, slots=True)
class PercentileWindow:
    """Maps the percentiles ``lower`` and ``upper`` of the scan's own voxels to 0 and 1 (MR)."""

    lower: float = 1.0
    upper: float = 99.0

    def __post_init__(self) -> None:
        if not 0 <= self.lower < self.upper <= 100:
            raise ValueError(
                "a percentile window needs 0 <= lower < upper <= 100, "
                f"got {self.lower} and {self.upper}"
            )


@dataclass(frozen=True, slots=True)
class FixedWindow:
    """Maps the intensities ``lower`` and ``upper`` to 0 and 1 in every scan (CT, Hounsfield)."""

    lower: float
    upper: float

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ValueError(f"a window needs lower < upper, got {self.lower} and {self.upper}")


@dataclass(frozen=True, slots=True)
class LayoutPart:
    """One folder of images and the folder of their labels.

    Attributes:
        images: folders relative to the data set's folder, the first that exists is read.
        labels: the folder of the labels, files named like the images; None: there are none.
        pattern: file name with ``{number}`` as a format field, without the ending.
    """

    images: tuple[str, ...]
    labels: str | None
    pattern: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How one release of a data set names and numbers its files.

    Attributes:
        name: how the layout is called in messages and on the command line.
        folder: the name of the data set's folder as it comes out of the archive.
        parts: its image folders; it is recognised by the first.
        numbering: file number n is case ``numbering[n - 1]``; None: the numbers are the same.
        padded: the volumes have the description's size, padded with their edge values.
        index: a json file that lists the files, checked where it exists.
    """

    name: str
    folder: str
    parts: tuple[LayoutPart, ...]
    numbering: tuple[int, ...] | None = None
    padded: bool = False
    index: str | None = None


@dataclass(frozen=True, slots=True)
class SyntheticSource:
    """How many cases a generated data set has, and from which seed.

    Attributes:
        train: training cases, numbered from 1.
        selection: how many of the training cases choose the best checkpoint.
        val: validation cases, numbered after the training cases.
        seed: of the population that all cases are drawn from.
    """

    train: int = 96
    selection: int = 12
    val: int = 12
    seed: int = 0


@dataclass(frozen=True)
class DatasetDescription:
    """Everything that differs from one data set to the next.

    Attributes:
        name: the module name in ``hipreg.data.datasets`` and the folder under ``data/splits``.
        title: for people.
        labels: names of the labels by number, without background; empty for unlabelled images.
        size: grid (D, H, W) onto which every case is put.
        spacing: edge of a voxel of that grid in mm.
        intensity: what maps intensities to [0, 1].
        pair_rule: makes the evaluation pairs of a set of cases.
        layouts: the releases that are recognised, in the order they are looked for.
        download: what to download from where, for the message when nothing is found.
        synthetic: set for a data set that is generated rather than read.
    """

    name: str
    title: str
    labels: Mapping[int, str]
    size: Size
    spacing: float
    intensity: PercentileWindow | FixedWindow
    pair_rule: PairRule = reversed_pairs
    layouts: tuple[Layout, ...] = ()
    download: str = ""
    synthetic: SyntheticSource | None = None

    def __post_init__(self) -> None:
        if not all(0 < label < 256 for label in self.labels):
            raise ValueError(
                f"{self.name}: labels are numbered 1 to 255, got {sorted(self.labels)}"
            )
        if len(self.size) != 3 or min(self.size) < 1:
            raise ValueError(f"{self.name}: size is three positive numbers, got {self.size}")
        if not self.spacing > 0:
            raise ValueError(f"{self.name}: spacing is positive, got {self.spacing} mm")


def known_datasets() -> list[str]:
    """Names that ``describe`` takes, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(datasets.__path__))


def describe(name: str) -> DatasetDescription:
    """The description of a data set by its name.

    Raises:
        ValueError: there is no such data set; the known ones are listed.
    """
    known = known_datasets()
    if name not in known:
        raise ValueError(
            f"unknown data set {name!r}; known: {', '.join(known)}. "
            f"A new one is a file hipreg/data/datasets/{name}.py with a DESCRIPTION."
        )
    description = import_module(f"hipreg.data.datasets.{name}").DESCRIPTION
    if not isinstance(description, DatasetDescription):
        raise ValueError(
            f"hipreg/data/datasets/{name}.py: DESCRIPTION must be a DatasetDescription, "
            f"got {type(description).__name__}"
        )
    return description
