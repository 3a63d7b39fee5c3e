"""Velocities whose displacements fold, and those that do not."""

from __future__ import annotations

import torch
from torch import Tensor

from hipreg.prediction.unfolding import unfolded
from hipreg.spatial import VelocityIntegration, jacobian_determinant

SIZE = (32, 32, 32)
FLOW = VelocityIntegration(SIZE)


def turning(strength: float) -> Tensor:
    """A velocity that turns from one axis to another between neighbours, in a part of the grid."""
    velocity = torch.zeros(1, 3, 16, 16, 16)
    velocity[:, 0, 2:10, 4:12, 4:8] = strength
    velocity[:, 2, 4:12, 4:12, 8:12] = strength
    velocity[:, 1, 4:8, :12, 5:9] = -strength
    return velocity


def folds(displacement: Tensor) -> int:
    return int((jacobian_determinant(displacement) <= 0).sum())


def test_what_does_not_fold_is_left_as_it_is() -> None:
    velocity = turning(0.5)
    assert torch.equal(unfolded(velocity, FLOW), FLOW(velocity))


def test_folds_are_smoothed_away_where_they_are_and_in_their_pair_alone() -> None:
    velocity = torch.cat([turning(8.0), turning(0.5)])
    kept = velocity.clone()
    plain, found = FLOW(velocity), unfolded(velocity, FLOW)
    assert folds(plain) > 10
    assert folds(found) == 0
    assert found[0].abs().max() > 0.5
    assert torch.equal(found[1], plain[1])
    assert torch.equal(found[0, :, 30:], plain[0, :, 30:])
    assert torch.equal(velocity, kept)
