"""Mean squared difference, overlap and regularisation."""

from __future__ import annotations

import pytest
import torch

from hipreg.losses import (
    bending_penalty,
    diffusion_penalty,
    divergence_penalty,
    expected_dice_loss,
    l1_penalty,
    l2_penalty,
    mse_loss,
    one_hot,
    soft_dice_loss,
)
from hipreg.losses.similarity import covered
from tests.helpers import box_label, smooth_images


def test_mse_of_equal_images_is_zero() -> None:
    image = smooth_images(2)
    assert mse_loss(image[None], image, mask=covered(image[None], image)).abs().max() == 0


def test_mse_leaves_out_voxels_where_either_image_is_zero() -> None:
    fixed, warped = torch.full((1, 1, 2, 2, 2), 0.5), torch.full((1, 1, 1, 2, 2, 2), 0.75)
    fixed[..., 0, 0, 0] = 0
    warped[..., 1, 1, 1] = 0
    mask = covered(warped, fixed)
    assert int(mask.sum()) == 6
    assert float(mse_loss(warped, fixed, mask=mask)) == pytest.approx(0.0625)


def test_one_hot_keeps_the_order_of_labels() -> None:
    label = box_label()
    channels = one_hot(label, (2, 1))
    assert channels.shape == (1, 2, 16, 16, 16)
    assert torch.equal(channels[0, 0], (label[0, 0] == 2).float())


def test_soft_dice_of_equal_labels_is_zero_and_of_disjoint_ones_nearly_one() -> None:
    channels = one_hot(box_label(), (1, 2))
    assert float(soft_dice_loss(channels, channels)) == pytest.approx(0, abs=1e-6)
    assert float(soft_dice_loss(channels, channels.flip(1))) > 0.99


def test_soft_dice_hand_computed() -> None:
    warped = torch.tensor([1.0, 0.5, 0.0, 0.0]).view(1, 1, 1, 1, 4)
    fixed = torch.tensor([1.0, 1.0, 0.0, 0.0]).view(1, 1, 1, 1, 4)
    # (2 * 1.5 + 1) / (1.25 + 2 + 1)
    assert float(soft_dice_loss(warped, fixed)) == pytest.approx(1 - 4 / 4.25)


def test_expected_dice_of_certain_labels_is_their_dice() -> None:
    one = one_hot(box_label(), labels=(1,))
    both = one, one.roll(2, 3)
    torch.testing.assert_close(expected_dice_loss(*both), soft_dice_loss(*both))


def test_expected_dice_is_the_mean_over_draws_of_independent_labels() -> None:
    draws = torch.Generator().manual_seed(0)
    chances = torch.rand(2, 1, 1, 12, 12, 12, generator=draws)
    drawn = (torch.rand(200, 2, 1, 12, 12, 12, generator=draws) < chances[:, 0]).float()
    found = expected_dice_loss(drawn[:, 0], drawn[:, 1]).mean()
    torch.testing.assert_close(expected_dice_loss(*chances)[0], found, atol=2e-3, rtol=0)


def test_expected_dice_rewards_a_thin_border_and_soft_dice_does_not() -> None:
    ramp = torch.linspace(-4, 4, 16).view(1, 1, 16, 1, 1).expand(1, 1, 16, 16, 16)
    blurred, thin = torch.sigmoid(ramp), torch.sigmoid(4 * ramp)
    assert expected_dice_loss(thin, blurred) < expected_dice_loss(blurred, blurred) - 0.02
    assert soft_dice_loss(thin, blurred) > soft_dice_loss(blurred, blurred)


def test_divergence_is_zero_for_a_rotation_and_known_for_a_stretch() -> None:
    d, h, w = torch.meshgrid(*[torch.arange(8.0)] * 3, indexing="ij")
    edge = torch.tensor([2.0, 2.0, 2.0]).view(1, 3, 1, 1, 1)
    rotation = torch.stack([h, -d, 0 * w])[None]
    torch.testing.assert_close(divergence_penalty(rotation, edge), torch.zeros(1))
    # 0.3, 0.1 and -0.2 voxels a voxel, on a grid of every second one.
    stretch = torch.stack([0.6 * d, 0.2 * h, -0.4 * w])[None]
    torch.testing.assert_close(divergence_penalty(stretch, edge), torch.tensor([0.04]))


def test_absent_label_costs_nothing() -> None:
    empty = torch.zeros(1, 1, 4, 4, 4)
    assert float(soft_dice_loss(empty, empty)) == 0


def test_diffusion_is_zero_for_translations_and_known_for_a_stretch() -> None:
    assert float(diffusion_penalty(torch.full((1, 3, 4, 4, 4), 2.5))) == 0
    stretch = torch.zeros(1, 3, 4, 4, 4)
    stretch[:, 1] = 0.3 * torch.arange(4.0).view(1, 1, 4, 1)
    # One of three components along one of three axes.
    assert float(diffusion_penalty(stretch)) == pytest.approx(0.09 / 9)


def test_bending_is_zero_for_affine_fields_and_known_for_parabolas() -> None:
    d, h, w = torch.meshgrid(*[torch.arange(5.0)] * 3, indexing="ij")
    affine = torch.stack([0.3 * d - h, w + 2, d + h - w])[None]
    assert float(bending_penalty(affine)) == pytest.approx(0, abs=1e-10)
    straight, mixed = torch.zeros(1, 3, 5, 5, 5), torch.zeros(1, 3, 5, 5, 5)
    straight[:, 0] = 0.5 * h**2
    mixed[:, 2] = d * w
    # One component of three with one second derivative of 1; with two, d by w and w by d.
    assert float(bending_penalty(straight)) == pytest.approx(1 / 3)
    assert float(bending_penalty(mixed)) == pytest.approx(2 / 3)


def test_penalties_of_a_known_deviation() -> None:
    deviation = torch.tensor([0.1, -0.3]).view(1, 1, 1, 1, 2).expand(1, 3, 1, 1, 2)
    assert float(l1_penalty(deviation)) == pytest.approx(0.2)
    assert float(l2_penalty(deviation)) == pytest.approx(0.05)
