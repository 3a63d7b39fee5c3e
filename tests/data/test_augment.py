"""Augmentation: drawing apart from applying."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from hipreg.data.augment import (
    NO_AUGMENTATION,
    AffineMaps,
    Augmentation,
    apply,
    central_crop,
    draw,
)
from hipreg.types import Pair
from tests.helpers import SMALL, generator, small_pair

FLIPS = replace(NO_AUGMENTATION, flips=True)
TURNS = replace(NO_AUGMENTATION, quarter_turns=True)
AFFINE = replace(NO_AUGMENTATION, affine=True)


def drawn(augmentation: Augmentation, batch: int = 8, seed: int = 0) -> AffineMaps:
    return draw(augmentation, batch=batch, source=SMALL, size=SMALL, generator=generator(seed))


def volumes(pair: Pair) -> list[torch.Tensor]:
    return [pair.moving, pair.fixed, pair.moving_label, pair.fixed_label]


def test_identity_maps_return_the_pair() -> None:
    pair = small_pair()
    result = apply(pair, drawn(NO_AUGMENTATION, batch=2), size=SMALL)
    for before, after in zip(volumes(pair), volumes(result), strict=True):
        torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


def test_flip_reverses_the_axis_of_all_four_volumes() -> None:
    pair = small_pair(batch=1)
    maps = AffineMaps(torch.diag(torch.tensor([1.0, -1.0, 1.0]))[None], torch.zeros(1, 3))
    result = apply(pair, maps, size=SMALL)
    for before, after in zip(volumes(pair), volumes(result), strict=True):
        torch.testing.assert_close(after, before.flip(3), atol=1e-5, rtol=0)


def test_quarter_turn_equals_rot90_and_does_not_blur() -> None:
    pair = small_pair(batch=1)
    turn = torch.tensor([[[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]])
    result = apply(pair, AffineMaps(turn, torch.zeros(1, 3)), size=SMALL)
    rotations = [torch.rot90(pair.fixed, k, (3, 4)) for k in (1, 3)]
    assert min(float((result.fixed - r).abs().max()) for r in rotations) < 1e-5
    assert set(result.fixed_label.unique().tolist()) == {0, 1, 2}


def test_translation_reads_from_the_shifted_position() -> None:
    pair = small_pair(batch=1)
    result = apply(
        pair, AffineMaps(torch.eye(3)[None], torch.tensor([[0.0, 0.0, 2.0]])), size=SMALL
    )
    torch.testing.assert_close(result.fixed[..., :-2], pair.fixed[..., 2:], atol=1e-5, rtol=0)
    assert result.fixed[..., -2:].abs().max() < 1e-5


def test_flips_and_quarter_turns_are_signed_permutations_of_the_axes() -> None:
    matrices = drawn(replace(FLIPS, quarter_turns=True), batch=64).matrix
    assert set(matrices.unique().tolist()) == {-1.0, 0.0, 1.0}
    torch.testing.assert_close(matrices @ matrices.mT, torch.eye(3).expand(64, 3, 3))
    assert len(matrices.unique(dim=0)) > 12


def test_quarter_turns_exchange_axes_of_equal_size_alone() -> None:
    maps = draw(TURNS, batch=64, source=SMALL, size=(16, 32, 16), generator=generator())
    assert (maps.matrix[:, 1, 1] == 1).all()
    assert (maps.matrix[:, 0, 2] != 0).any()
    none = draw(TURNS, batch=8, source=SMALL, size=(16, 32, 48), generator=generator())
    assert torch.equal(none.matrix, torch.eye(3).expand(8, 3, 3))


def test_affine_maps_stay_within_their_limits_and_turn_about_one_axis() -> None:
    limits = Augmentation(
        flips=False, quarter_turns=False, max_rotation=20, max_translation=3, max_zoom=0.1
    )
    maps = drawn(limits, batch=256)
    zoom = maps.matrix.det().abs() ** (1 / 3)
    assert 0.9 <= zoom.min() < 0.93
    assert 1.07 < zoom.max() <= 1.1
    assert 2.5 < maps.offset.abs().max() <= 3
    rotation = maps.matrix / zoom[:, None, None]
    cosine = (rotation.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    assert torch.rad2deg(cosine.clamp(-1, 1).acos()).max() <= 20.01
    unmoved = (rotation.diagonal(dim1=1, dim2=2) - 1).abs().min(dim=1).values
    assert unmoved.max() < 1e-5


def test_same_generator_draws_the_same_and_another_does_not() -> None:
    first, again, other = (drawn(Augmentation(), seed=s) for s in (1, 1, 2))
    assert torch.equal(first.matrix, again.matrix)
    assert torch.equal(first.offset, again.offset)
    assert not torch.equal(first.matrix, other.matrix)


def test_drawing_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    drawn(replace(Augmentation(), random_crop=True))
    assert torch.equal(torch.rand(2), expected)


def test_one_draw_serves_both_images_of_a_pair() -> None:
    pair = small_pair()
    same = Pair(pair.fixed, pair.fixed, pair.fixed_label, pair.fixed_label)
    result = apply(same, drawn(Augmentation(), batch=2), size=SMALL)
    assert torch.equal(result.moving, result.fixed)
    assert torch.equal(result.moving_label, result.fixed_label)


def test_random_crops_are_whole_voxel_parts_of_the_source() -> None:
    pair = small_pair(batch=1)
    size = (12, 16, 8)
    only_crop = replace(NO_AUGMENTATION, random_crop=True)
    seen = set()
    for seed in range(20):
        maps = draw(only_crop, batch=1, source=SMALL, size=size, generator=generator(seed))
        result = apply(pair, maps, size=size)
        matches = [
            (d, w)
            for d in range(5)
            for w in range(9)
            if torch.allclose(result.fixed, pair.fixed[..., d : d + 12, :, w : w + 8], atol=1e-5)
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) > 10


def test_central_crop_takes_the_middle_and_refuses_more_than_there_is() -> None:
    pair = small_pair()
    part = central_crop(pair, size=(12, 16, 8))
    assert torch.equal(part.moving, pair.moving[..., 2:14, :, 4:12])
    with pytest.raises(ValueError, match="does not fit"):
        central_crop(pair, size=(20, 16, 16))
