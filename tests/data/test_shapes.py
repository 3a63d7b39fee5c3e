"""Endless pairs of random shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hipreg.data.batches import whole
from hipreg.data.random import generator_of
from hipreg.data.shapes import LABELS, ShapeOptions, ShapePairs, _displacement, shape_batch
from hipreg.types import Pair

CPU = torch.device("cpu")
SIZE = (24, 32, 24)


def same(first: Pair, second: Pair) -> bool:
    names = ("moving", "fixed", "moving_label", "fixed_label")
    return all(torch.equal(getattr(first, name), getattr(second, name)) for name in names)


def batches(epoch: int = 0, seed: int = 0, **options: object) -> list[Pair]:
    source = ShapePairs(5, CPU)
    return list(
        source.batches(batch_size=2, size=SIZE, seed=seed, epoch=epoch, **options)  # type: ignore[arg-type]
    )


def test_batches_repeat_by_seed_and_epoch_and_differ_otherwise() -> None:
    first = batches()
    assert [len(pair.fixed) for pair in first] == [2, 2, 1]
    assert all(same(a, b) for a, b in zip(first, batches(), strict=True))
    for other in (batches(epoch=1), batches(seed=1)):
        assert not any(same(a, b) for a, b in zip(first, other, strict=True))


def test_shares_of_processes_make_up_the_batch() -> None:
    first, second = (batches(share=lambda length, k=k: slice(k, length, 2)) for k in (0, 1))
    for pair, even, odd in zip(batches(share=whole), first, second, strict=True):
        assert torch.equal(pair.fixed[0::2], even.fixed)
        assert torch.equal(pair.moving_label[1::2], odd.moving_label)


def test_images_are_like_prepared_scans() -> None:
    pair = shape_batch([(7, 0, k) for k in range(6)], (48, 64, 48), device=CPU)
    for image, label in ((pair.moving, pair.moving_label), (pair.fixed, pair.fixed_label)):
        assert image.dtype == torch.float32
        assert label.dtype == torch.uint8
        assert image.min() >= 0
        assert image.max() <= 1
        assert set(label.unique().tolist()) <= {0, *LABELS}
        assert not label[image == 0].any()
        covered = (image > 0).flatten(1).float().mean(1)
        assert (covered > 0.2).all()
        assert (covered < 0.9).all()
        assert (image.flatten(1).std(1) > 0.1).all()


def test_both_images_show_the_same_shapes() -> None:
    pair = shape_batch([(3, 0, k) for k in range(6)], (48, 64, 48), device=CPU)
    overlaps = []
    for value in LABELS:
        one, two = pair.moving_label == value, pair.fixed_label == value
        total = int(one.sum() + two.sum())
        overlaps.append(2 * int((one & two).sum()) / total if total else np.nan)
    assert 0.2 < np.nanmean(overlaps) < 0.85


def test_without_deformation_and_motion_the_labels_agree() -> None:
    still = ShapeOptions(deformation=0, rotation=0, zoom=0, translation=0)
    pair = shape_batch([(0, 0, 1)], (32, 32, 32), device=CPU, options=still)
    both = (pair.moving > 0) & (pair.fixed > 0)
    assert torch.equal(pair.moving_label[both], pair.fixed_label[both])


def test_contrasts_are_shared_as_often_as_asked() -> None:
    def agreement(probability: float) -> float:
        options = ShapeOptions(
            same_contrast=probability, deformation=0, rotation=0, zoom=0, translation=0, noise=0
        )
        pair = shape_batch([(1, 0, k) for k in range(4)], SIZE, device=CPU, options=options)
        values = []
        for moving, fixed in zip(pair.moving, pair.fixed, strict=True):
            both = (moving > 0) & (fixed > 0)
            values.append(float(torch.corrcoef(torch.stack([moving[both], fixed[both]]))[0, 1]))
        return float(np.mean(values))

    assert agreement(1.0) > 0.9
    assert agreement(0.0) < 0.7


@pytest.mark.parametrize("number", range(4))
def test_no_drawn_deformation_folds(number: int) -> None:
    size = (32, 40, 32)
    strongest = ShapeOptions(deformation=1.0)
    field = _displacement(size, generator_of(number), strongest, CPU)
    slopes = torch.stack(torch.gradient(field, dim=(1, 2, 3)), dim=1)
    jacobian = slopes.permute(2, 3, 4, 0, 1) + torch.eye(3)
    assert float(torch.linalg.det(jacobian).min()) > 0
    assert 1.0 < float(field.abs().max()) < 30.0


@pytest.mark.parametrize("wrong", [{"same_contrast": 1.5}, {"deformation": -0.1}])
def test_impossible_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        ShapeOptions(**wrong)
