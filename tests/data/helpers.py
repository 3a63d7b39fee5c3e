"""Small data sets on disk for the tests of the data layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from hipreg.data.io import write_volume


def random_case(
    seed: int, shape: tuple[int, ...] = (12, 14, 10)
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """An image of noise and a label map with a block of label 1 and one of label 2."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(10, 1000, size=shape).astype(np.float32)
    label = np.zeros(shape, dtype=np.uint8)
    middle = tuple(slice(n // 4, 3 * n // 4) for n in shape)
    label[middle] = 1
    label[(slice(0, shape[0] // 2), *middle[1:])] *= 2
    return image, label


def write_case(
    root: Path,
    number: int,
    *,
    image: npt.NDArray[np.generic] | None = None,
    label: npt.NDArray[np.generic] | None = None,
    affine: npt.NDArray[np.float64] | None = None,
) -> tuple[Path, Path]:
    """Writes a case in the Decathlon's layout under ``root`` and returns its two paths."""
    drawn = random_case(number)
    where = np.eye(4) if affine is None else affine
    name = f"hippocampus_{number:03d}.nii.gz"
    paths = root / "imagesTr" / name, root / "labelsTr" / name
    write_volume(paths[0], drawn[0] if image is None else image, where)
    write_volume(paths[1], drawn[1] if label is None else label, where)
    return paths


def write_cases(parent: Path, numbers: tuple[int, ...] = (1, 3, 4)) -> Path:
    """A folder Task04_Hippocampus with a few cases; returns it."""
    root = parent / "Task04_Hippocampus"
    for number in numbers:
        write_case(root, number)
    return root
