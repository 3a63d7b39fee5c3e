"""The grid on the hippocampus of two brains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

import hipreg
from hipreg.data import describe
from hipreg.data.brain_frame import hippocampus_frame
from hipreg.data.frame import label_on_frame
from hipreg.data.io import DataError
from hipreg.data.scan import volume_of
from tests.data.heads import LIA, coarse_affine, head
from tests.helpers import skip_or_fail
from tests.prediction.helpers import small_model

HIPPOCAMPUS = describe("hippocampus")
SIZE = (48, 64, 48)


def coarse(axes: str, **options: Any) -> Any:
    affine, shape = coarse_affine(axes, (2.0, 2.0, 2.0))
    return volume_of(head(shape, affine, **options), affine)


@pytest.mark.parametrize(("side", "sign"), [("left", -1), ("right", 1)])
def test_the_same_place_of_two_brains_is_registered(side: Any, sign: int) -> None:
    fixed, moving = coarse("RAS"), coarse("LIA", shift=(6, -8, 10))
    frame = hippocampus_frame(fixed, moving, side=side, size=SIZE, description=HIPPOCAMPUS)
    assert frame.alignment == side
    middle = (np.array(SIZE) - 1) / 2
    at_fixed, at_moving = (
        affine[:3, :3] @ middle + affine[:3, 3] for affine in (frame.to_fixed, frame.to_moving)
    )
    np.testing.assert_allclose(at_moving - at_fixed, (6, -8, 10), atol=2.5)
    assert sign * at_fixed[0] > 10
    for affine in (frame.to_fixed, frame.to_moving):  # mirrored on the right
        assert np.sign(np.linalg.det(affine[:3, :3])) == -sign


def test_an_image_without_a_brain_is_named() -> None:
    scan = volume_of(np.ones((30, 30, 30), np.float32), np.diag([1.0, 1.0, 1.0, 1.0]))
    with pytest.raises(DataError, match=r"the moving image: .*left hippocampus is looked for in"):
        hippocampus_frame(coarse("RAS"), scan, side="left", size=SIZE, description=HIPPOCAMPUS)
    with pytest.raises(ValueError, match="a side is one of"):
        hippocampus_frame(
            scan,
            scan,
            side="both",  # type: ignore[arg-type]
            size=SIZE,
            description=HIPPOCAMPUS,
        )


def test_a_place_that_is_looked_for_and_given_is_refused() -> None:
    brain = np.zeros((8, 8, 8), np.float32)
    brain[2:6, 2:6, 2:6] = np.arange(64).reshape(4, 4, 4)
    options = hipreg.Options(alignment="left", centre=[0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="leave out the centre"):
        hipreg.register(brain, brain, small_model(), options=options)


def test_the_hippocampus_of_a_real_brain_is_registered(real_data: Path) -> None:
    folder = real_data / "brains"
    if not folder.is_dir():
        skip_or_fail(f"{folder} is not there")
    stored = np.load(folder / "test_scan.npz")
    labelled = volume_of(stored["vol"], LIA)
    moving = nibabel.load(folder / "chris_t1.nii.gz")
    fixed = nibabel.Nifti1Image(labelled.data, LIA)
    for side, value in (("left", 17), ("right", 53)):
        options = hipreg.Options(alignment=side)  # type: ignore[arg-type]
        found = hipreg.register(moving, fixed, "sym", options=options)
        label = volume_of((stored["seg"] == value).astype(np.int16), LIA)
        on_grid = label_on_frame(label, found.frame.to_fixed, found.frame.size)
        assert np.count_nonzero(on_grid) > 0.99 * np.count_nonzero(label.data)
        assert np.linalg.norm(found.displacement, axis=0)[label.data > 0].max() > 1
