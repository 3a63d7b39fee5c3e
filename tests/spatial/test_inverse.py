"""Inverses and means of deformations."""

from __future__ import annotations

import torch
from torch import Tensor

from hipreg.spatial import compose, invert, mean_of_directions
from tests.helpers import SMALL, generator


def smooth(*, largest: float = 1.5, seed: int = 3, margin: int = 3) -> Tensor:
    """(1, 3, D, H, W), smooth, 0 at the border, without folds."""
    inner = [n - 2 * margin for n in SMALL]
    noise = torch.rand(1, 3, 3, 3, 3, generator=generator(seed)) * 2 - 1
    grown = torch.nn.functional.interpolate(
        noise, size=inner, mode="trilinear", align_corners=False
    )
    field = torch.nn.functional.pad(grown, [margin] * 6)
    kernel = torch.ones(3, 1, 3, 3, 3) / 27
    for _ in range(2):
        field = torch.nn.functional.conv3d(field, kernel, padding=1, groups=3)
    return field * largest / field.abs().max()


def test_inverse_of_identity_is_identity() -> None:
    assert not invert(torch.zeros(1, 3, *SMALL)).any()


def test_inverse_of_a_shift_is_the_opposite_shift() -> None:
    shift = torch.tensor([1.25, -2.0, 0.5]).view(1, 3, 1, 1, 1).expand(1, 3, *SMALL)
    torch.testing.assert_close(invert(shift), -shift, atol=2e-3, rtol=0)


def test_there_and_back_is_identity_on_both_sides() -> None:
    there = smooth()
    assert there.abs().max() > 1
    back = invert(there)
    assert compose(there, back).abs().max() < 5e-3
    # The other way round two interpolations meet, which differ between the voxels.
    assert compose(back, there).abs().max() < 0.2 * there.abs().max()


def test_compose_adds_shifts() -> None:
    a, b = (torch.full((1, 3, *SMALL), value) for value in (0.5, 1.25))
    torch.testing.assert_close(compose(a, b), a + b)


def test_mean_of_a_registration_and_its_exact_opposite_is_the_registration() -> None:
    there = smooth()
    mean = mean_of_directions(there, invert(there))
    assert (mean - there).abs().max() < 0.1


def test_exchanging_the_directions_inverts_the_mean() -> None:
    there, back = smooth(seed=3), -0.8 * smooth(seed=3)
    mean, other = mean_of_directions(there, back), mean_of_directions(back, there)
    assert compose(mean, other).abs().max() < 0.15
    assert compose(there, back).abs().max() > 0.25
