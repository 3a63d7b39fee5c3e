"""Displacement fields as files, and the one convention that all parts share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from hipreg.data import CasePair
from hipreg.evaluation.fields import field_name, read_field, write_field
from hipreg.models import build
from hipreg.spatial import warp
from tests.helpers import SMALL, TINY, random_displacement, smooth_images

PAIR = CasePair(fixed=311, moving=394)


def test_name_is_that_of_the_challenge() -> None:
    assert field_name(PAIR) == "disp_0311_0394.npz"


def test_file_holds_one_half_precision_array(tmp_path: Path) -> None:
    field = random_displacement(1)[0].numpy()
    path = write_field(tmp_path, PAIR, field)
    with np.load(path) as content:
        (name,) = content.files
        assert content[name].dtype == np.float16
        assert content[name].shape == (3, *SMALL)
    np.testing.assert_allclose(read_field(path), field, atol=1 / 512)


def test_net_export_and_evaluator_share_one_convention(tmp_path: Path) -> None:
    net = build(TINY)
    torch.manual_seed(0)
    torch.nn.init.normal_(net.decoder.head.weight, std=0.2)
    moving, fixed = smooth_images(1, seed=1), smooth_images(1, seed=2)
    with torch.no_grad():
        displacement = net(moving, fixed).displacement
    assert displacement.abs().max() > 1
    warped = warp(moving, displacement)[0, 0].numpy()

    field = read_field(write_field(tmp_path, PAIR, displacement[0].numpy()))
    positions = np.indices(SMALL) + field
    again = ndimage.map_coordinates(moving[0, 0].numpy().astype(np.float64), positions, order=1)
    sides = np.array(SMALL).reshape(3, 1, 1, 1)
    inside = np.all((positions >= 0) & (positions <= sides - 1), axis=0)
    assert inside.mean() > 0.5
    # Half precision moves positions by up to 1/512 voxel here.
    np.testing.assert_allclose(warped[inside], again[inside], atol=2e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_fields_that_half_precision_cannot_hold_are_refused(tmp_path: Path, value: float) -> None:
    field = np.zeros((3, *SMALL), dtype=np.float32)
    field[0, 0, 0, 0] = value
    with pytest.raises(ValueError, match=r"finite|float16"):
        write_field(tmp_path, PAIR, field)
    assert list(tmp_path.iterdir()) == []


def test_bad_files_are_refused_with_their_name(tmp_path: Path) -> None:
    path = tmp_path / "disp_0001_0002.npz"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"disp_0001_0002\.npz"):
        read_field(path)
    np.savez(path, np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="exactly one array"):
        read_field(path)
    np.savez(path, np.zeros((2, *SMALL)))
    with pytest.raises(ValueError, match=r"disp_0001_0002\.npz"):
        read_field(path)
