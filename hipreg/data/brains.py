"""Whole brain images for pretraining: finding them, reading them, and where the brain lies.

Nothing here looks at the order of an array's axes: every image is read by its affine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from hipreg.data.checks import image_faults
from hipreg.data.io import (
    ENDINGS,
    MGH_ENDINGS,
    DataError,
    DataNotFoundError,
    Volume,
    nib,
    read_volume,
)

Affine = npt.NDArray[np.float64]

OASIS1_IMAGES = ("norm", "orig", "aligned_norm")
"""Files of a subject in the neurite-OASIS release, the first that is there is read."""

COARSE = 3.0
"""mm, about, of the grid on which a brain is looked for."""

SCALP = 6.0
"""mm that are taken off a head for its brain to come loose from scalp, eyes and neck."""

UPPER = 85.0
"""mm below the top of a brain that its width and length are measured in: above neck and face."""

WIDTHS, LENGTHS = (90.0, 190.0), (110.0, 230.0)
"""mm that brains are wide and long; what lies outside is no brain, or has a broken header."""


@dataclass(frozen=True, slots=True)
class Brain:
    """One image of one subject."""

    subject: str
    path: Path


@dataclass(frozen=True, slots=True)
class BrainBox:
    """Where a brain lies in its image, in mm along right, anterior and superior.

    Attributes:
        to_world: (4, 4), from these mm to the image's world.
        middle: Of left and right.
        width: From left to right.
        back: Its hindmost part.
        length: From back to front.
        top: Its highest part.
    """

    to_world: Affine
    middle: float
    width: float
    back: float
    length: float
    top: float

    def point(self, right: float, forward: float, below: float) -> npt.NDArray[np.float64]:
        """(3,) world mm of a place of the brain.

        Args:
            right: From its middle to the right, in shares of its width.
            forward: From its back, in shares of its length.
            below: From its top downwards, in shares of its length (its height below depends on
                where the neck ends).
        """
        at = (
            self.middle + right * self.width,
            self.back + forward * self.length,
            self.top - below * self.length,
        )
        return np.asarray(self.to_world[:3, :3] @ at + self.to_world[:3, 3])


def find_brains(folder: Path, layout: str, *, pattern: str | None = None) -> list[Brain]:
    """The images of a folder, one a subject, sorted by subject.

    Args:
        folder: Where they lie.
        layout: One of ``LAYOUTS``.
        pattern: For the layout ``folder``: which file names to take, as in ``*T1w*``.

    Raises:
        DataNotFoundError: There are none; says what was expected.
        DataError: The folder cannot be read.
        ValueError: No such layout.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layouts of brain images are {', '.join(LAYOUTS)}; got {layout!r}")
    folder = folder.expanduser()
    if not folder.is_dir():
        raise DataNotFoundError(f"{folder}: no such folder; expected {EXPECTED[layout]}")
    try:
        found = [
            brain
            for brain in LAYOUTS[layout](folder)
            if pattern is None or fnmatch(brain.path.name, pattern)
        ]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from error
    first: dict[str, Brain] = {}
    for brain in sorted(found, key=lambda brain: (brain.subject, str(brain.path))):
        first.setdefault(brain.subject, brain)
    if not first:
        named = f" named like {pattern}" if pattern else ""
        raise DataNotFoundError(
            f"{folder}: holds no brain images{named}; expected {EXPECTED[layout]}"
        )
    return list(first.values())


def read_brain(path: Path) -> Volume:
    """Read and check an image whose header says where it lies.

    Raises:
        DataError: It is not one finite 3D image with a usable affine; does not name the file.
    """
    volume = read_volume(path)
    faults = [fault.message for fault in image_faults(path, volume)]
    header = nib.load(path).header
    codes = [int(header[key]) for key in ("sform_code", "qform_code") if key in header]
    if not faults and codes and not any(codes):
        faults = [
            "its header does not say where its axes point (sform and qform codes are 0); expected "
            "an affine, convert it again from its source"
        ]
    if faults:
        raise DataError("; ".join(faults))
    return volume


def locate_brain(volume: Volume) -> BrainBox:
    """Find the brain in a head with or without its skull.

    What is brighter than the background (Otsu) is worn off until brain and scalp come apart; the
    largest part is the brain.

    Raises:
        DataError: What was found is not as large as a brain; does not name the file.
    """
    orientation = nib.io_orientation(volume.affine)
    data = nib.orientations.apply_orientation(volume.data, orientation)
    affine = volume.affine @ nib.orientations.inv_ornt_aff(orientation, volume.data.shape)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    coarse, edges = _block_means(data, spacing)
    brain = _largest_part(coarse, edges)
    _, top = _ends(brain, 2)
    upper = brain[:, :, max(0, round(top - UPPER / edges[2])) : top + 1]
    (left, right), (back, front) = _ends(upper, 0), _ends(upper, 1)
    box = BrainBox(
        to_world=_millimetres(affine, spacing),
        middle=(left + right + 1) / 2 * edges[0],
        width=(right + 1 - left) * edges[0],
        back=back * edges[1],
        length=(front + 1 - back) * edges[1],
        top=(top + 1) * edges[2],
    )
    if not (WIDTHS[0] <= box.width <= WIDTHS[1] and LENGTHS[0] <= box.length <= LENGTHS[1]):
        raise DataError(
            f"the brain in it seems to be {box.width:.0f} mm wide and {box.length:.0f} mm long; "
            f"expected {WIDTHS[0]:.0f} to {WIDTHS[1]:.0f} and {LENGTHS[0]:.0f} to "
            f"{LENGTHS[1]:.0f}: is it a head, and is its header right?"
        )
    return box


def _millimetres(affine: Affine, spacing: npt.NDArray[np.float64]) -> Affine:
    """From mm, counted from the outer corner of voxel (0, 0, 0), to the world."""
    from_mm = np.diag([*(1 / spacing), 1.0])
    from_mm[:3, 3] = -0.5
    return np.asarray(affine @ from_mm)


def _block_means(
    data: npt.NDArray[np.generic], spacing: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """The means over blocks of voxels of about ``COARSE`` mm, and the blocks' edges in mm."""
    wanted = np.maximum(1, np.round(COARSE / spacing)).astype(int)
    factors = np.minimum(wanted, data.shape)
    counts = np.array(data.shape) // factors
    d, h, w = counts * factors
    shape = [n for pair in zip(counts, factors, strict=True) for n in pair]
    blocks = data[:d, :h, :w].astype(np.float32).reshape(shape)
    return blocks.mean(axis=(1, 3, 5)), spacing * factors


def _largest_part(
    image: npt.NDArray[np.float32], edges: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """The largest part of what is bright, once ``SCALP`` mm are off it, grown back."""
    bright = image > 0.9 * _threshold(image)
    core = ndimage.distance_transform_edt(bright, sampling=edges) > SCALP
    parts, count = ndimage.label(core)
    if count == 0:
        return bright
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    away = ndimage.distance_transform_edt(parts != sizes.argmax(), sampling=edges)
    return np.asarray(bright & (away <= SCALP + 2.0))


def _threshold(image: npt.NDArray[np.float32]) -> float:
    """Otsu's threshold (IEEE Trans. Systems, Man and Cybernetics 1979), bright outliers apart."""
    bright = image[image > 0]
    if not bright.size:
        return float(image.mean())
    counts, ends = np.histogram(image.clip(max=np.percentile(bright, 99)), 256)
    middles = (ends[:-1] + ends[1:]) / 2
    below, mass = np.cumsum(counts), np.cumsum(counts * middles)
    above = below[-1] - below
    usable = (below > 0) & (above > 0)
    between = np.zeros(len(counts))
    difference = mass[-1] * below[usable] / below[-1] - mass[usable]
    between[usable] = difference**2 / (below[usable] * above[usable])
    return float(middles[between.argmax()])


def _ends(mask: npt.NDArray[np.bool_], axis: int) -> tuple[int, int]:
    """First and last plane of a mask along an axis, without the outermost 0.2 % of its voxels."""
    others = tuple(other for other in range(3) if other != axis)
    share = np.cumsum(np.count_nonzero(mask, axis=others), dtype=np.float64)
    if share[-1] == 0:
        return 0, len(share) - 1
    share /= share[-1]
    return int(np.searchsorted(share, 0.002)), int(np.searchsorted(share, 0.998))


def _oasis3(folder: Path) -> list[Brain]:
    found = []
    for path in folder.rglob("orig.mgz"):
        inner = path.relative_to(folder).as_posix()
        if path.parent.name != "mri" or "fsaverage" in inner:
            continue
        named = re.search(r"OAS3\d{4}", inner)
        subject = named[0] if named else path.parent.parent.relative_to(folder).as_posix()
        found.append(Brain(subject, path))
    return found


def _oasis1(folder: Path) -> list[Brain]:
    found = []
    candidates = [folder, *(path for path in folder.rglob("*OAS1_*_MR*") if path.is_dir())]
    for session in candidates:
        named = re.search(r"OAS1_\d{4}", session.name)
        images = [session / f"{name}.nii.gz" for name in OASIS1_IMAGES]
        image = next((path for path in images if path.is_file()), None)
        if named and image:
            found.append(Brain(named[0], image))
    return found


def _any_folder(folder: Path) -> list[Brain]:
    found = []
    for path in folder.rglob("*"):
        ending = next((e for e in (*ENDINGS, *MGH_ENDINGS) if path.name.endswith(e)), None)
        if ending and path.is_file() and not path.name.startswith("."):
            name = path.relative_to(folder).as_posix().removesuffix(ending)
            found.append(Brain(name, path))
    return found


LAYOUTS: Mapping[str, Callable[[Path], list[Brain]]] = {
    "oasis3": _oasis3,
    "oasis1": _oasis1,
    "folder": _any_folder,
}
"""How folders of brain images are laid out; the first session of a subject is taken."""

EXPECTED: Mapping[str, str] = {
    "oasis3": "FreeSurfer's folders of OASIS-3, as in OAS30001_MR_d0129/mri/orig.mgz",
    "oasis1": "the folders of neurite-OASIS, as in OASIS_OAS1_0001_MR1/norm.nii.gz",
    "folder": "images that end in .nii.gz, .nii, .mgz or .mgh, one a subject, in it or below",
}
