"""Augmentation by SciPy."""

from __future__ import annotations

import numpy as np
import torch

from hipreg.benchmark.direct_augment import DirectDraw, apply_direct, direct_batches, draw_direct
from hipreg.data.augment import AffineMaps, apply
from tests.benchmark.helpers import synthetic_bank
from tests.helpers import SMALL, small_pair

NOTHING = DirectDraw((), 0, (0, 1), np.eye(3), np.zeros(3))


def test_nothing_drawn_changes_nothing() -> None:
    volume = np.random.default_rng(0).random((4, 5, 6), dtype=np.float32)
    np.testing.assert_array_equal(apply_direct(volume, NOTHING, order=1), volume)


def test_flips_and_turns_only_move_voxels() -> None:
    volume = np.arange(64, dtype=np.uint8).reshape(4, 4, 4)
    drawn = DirectDraw((0, 2), 1, (1, 2), np.eye(3), np.zeros(3))
    expected = np.rot90(volume[::-1, :, ::-1], 1, (1, 2))
    np.testing.assert_array_equal(apply_direct(volume, drawn, order=0), expected)


def test_affine_maps_are_those_of_training() -> None:
    drawn = draw_direct(np.random.default_rng(3), SMALL)
    drawn = DirectDraw((), 0, (0, 1), drawn.matrix, drawn.shift / 5)
    pair = small_pair(1)
    maps = AffineMaps(
        torch.from_numpy(drawn.matrix).float()[None], torch.from_numpy(drawn.shift).float()[None]
    )
    expected = apply(pair, maps, size=SMALL)
    image = apply_direct(pair.moving[0, 0].numpy(), drawn, order=1)
    label = apply_direct(pair.moving_label[0, 0].numpy(), drawn, order=0)
    # SciPy reads 0 as soon as a position leaves the grid, training after one more voxel.
    inside = expected.moving[0, 0].numpy() > 0
    inside &= image > 0
    np.testing.assert_allclose(image[inside], expected.moving[0, 0].numpy()[inside], atol=1e-4)
    assert np.mean(label == expected.moving_label[0, 0].numpy()) > 0.995
    assert label.any()


def test_batches_depend_on_their_seed_alone() -> None:
    bank = synthetic_bank()
    first, again, other = (
        next(direct_batches(bank, batch=2, size=(8, 16, 16), seed=seed)) for seed in (1, 1, 2)
    )
    assert first.fixed.shape == (2, 1, 8, 16, 16)
    assert first.fixed.dtype == torch.float32
    assert first.fixed_label.dtype == torch.uint8
    assert torch.equal(first.moving, again.moving)
    assert not torch.equal(first.moving, other.moving)
