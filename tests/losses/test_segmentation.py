"""Losses of a segmentation, and soft labels."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hipreg.losses import one_hot, segmentation_loss, soft_cross_entropy, soften
from tests.helpers import box_label, generator

WEIGHTS = {"dice": 1.0, "cross_entropy": 0.5}


def some_logits() -> torch.Tensor:
    return torch.randn(1, 3, 16, 16, 16, generator=generator())


def test_label_fades_over_its_border_alone() -> None:
    step = torch.zeros(1, 1, 6, 4, 4)
    step[:, :, 3:] = 1
    profile = soften(step, border=0.2)[0, 0, :, 1, 2]
    assert torch.allclose(profile, torch.tensor([0, 0, 0.2, 0.8, 1, 1]))


def test_soft_labels_have_the_volume_of_the_hard_ones() -> None:
    hard = one_hot(box_label(), (1, 2))
    soft = soften(hard, border=1 / 3)
    assert soft.sum().item() == pytest.approx(hard.sum().item())
    assert 0 <= soft.min() < soft.max() <= 1
    assert soften(hard, border=0) is hard


def test_share_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="border's share"):
        soften(torch.zeros(1, 1, 4, 4, 4), border=0.5)


def test_cross_entropy_with_hard_labels_is_the_usual_one() -> None:
    logits, label = some_logits(), box_label()
    found = soft_cross_entropy(logits, one_hot(label, (1, 2)))
    assert torch.allclose(found, F.cross_entropy(logits, label[:, 0].long()))


def test_cross_entropy_is_lowest_where_the_probabilities_are_the_targets() -> None:
    targets = soften(one_hot(box_label(), (1, 2)), border=0.3) * 0.9 + 0.04
    logits = torch.cat([1 - targets.sum(1, keepdim=True), targets], dim=1).log()
    logits.requires_grad_()
    soft_cross_entropy(logits, targets).sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-7


def test_loss_is_the_weighted_sum_of_its_terms_and_small_where_all_is_right() -> None:
    targets = one_hot(box_label(), (1, 2))
    loss = segmentation_loss(some_logits(), targets, WEIGHTS)
    parts = loss.terms["dice"] + 0.5 * loss.terms["cross_entropy"]
    assert loss.total.item() == pytest.approx(parts.item())
    right = 40 * torch.cat([1 - targets.sum(1, keepdim=True), targets], dim=1)
    assert segmentation_loss(right, targets, WEIGHTS).total < 1e-4 < loss.total


def test_unknown_term_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown loss terms"):
        segmentation_loss(some_logits(), torch.zeros(1, 2, 16, 16, 16), {"lcc": 1.0})
