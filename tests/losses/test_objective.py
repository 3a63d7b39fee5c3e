"""The weighted sum."""

from __future__ import annotations

import pytest
import torch

from hipreg.losses import TERMS, Objective
from hipreg.spatial import warp
from hipreg.types import Pair, Registration
from tests.helpers import SMALL, Displacements, random_displacement, small_pair
from tests.losses.direct import direct_lcc_map


def registration(pair: Pair, scales: int = 3) -> Registration:
    batch = len(pair.fixed)
    displacements = [random_displacement(batch, largest=0.5 * (s + 1)) for s in range(scales)]
    return Registration(tuple(displacements), Displacements())


def test_identity_of_a_pair_with_itself_costs_nothing_but_the_smoothing_of_lcc() -> None:
    pair = small_pair()
    same = Pair(pair.fixed, pair.fixed, pair.fixed_label, pair.fixed_label)
    still = Registration((torch.zeros(2, 3, *SMALL),), Displacements())
    loss = Objective(dict.fromkeys(TERMS, 1.0))(still, same)
    assert float(loss.total) < 0.02
    assert all(float(loss.terms[name]) < 1e-6 for name in TERMS if name != "lcc")


def test_total_is_the_weighted_sum_of_all_terms() -> None:
    pair = small_pair()
    weights = {"lcc": 1.0, "mse": 2.0, "dice": 0.5, "l1": 0.1, "l2": 3.0, "diffusion": 0.2}
    weights |= {"parameter_diffusion": 0.3, "bending": 0.4}
    loss = Objective(weights, lcc_window=5)(registration(pair), pair)
    assert set(loss.terms) == set(TERMS)
    expected = sum(weights[name] * float(value) for name, value in loss.terms.items())
    assert float(loss.total) == pytest.approx(expected, rel=1e-6)


def test_image_terms_are_means_over_resolutions_computed_directly() -> None:
    pair = small_pair()
    found = registration(pair)
    loss = Objective({"lcc": 1.0, "mse": 1.0}, lcc_window=5)(found, pair)
    lcc, mse = [], []
    for displacement in found.displacements:
        warped = warp(pair.moving, displacement)
        mask = (warped != 0) & (pair.fixed != 0)
        dims = (1, 2, 3, 4)
        cc = direct_lcc_map(warped, pair.fixed, 5)
        lcc.append((1 - (cc * mask).sum(dims) / mask.sum(dims)).mean())
        squared = (warped - pair.fixed).square()
        mse.append(((squared * mask).sum(dims) / mask.sum(dims)).mean())
    assert float(loss.terms["lcc"]) == pytest.approx(float(torch.stack(lcc).mean()), rel=1e-4)
    assert float(loss.terms["mse"]) == pytest.approx(float(torch.stack(mse).mean()), rel=1e-4)


def test_both_directions_at_once_are_the_mean_of_each() -> None:
    pair = small_pair()
    both = pair.both_directions()
    found = registration(both)
    objective = Objective({"lcc": 1.0, "dice": 1.0, "l1": 0.1}, lcc_window=5)
    swapped = Pair(pair.fixed, pair.moving, pair.fixed_label, pair.moving_label)
    halves = [
        objective(found.of(part), one)
        for part, one in ((slice(0, 2), pair), (slice(2, 4), swapped))
    ]
    expected = sum(float(half.total) for half in halves) / 2
    assert float(objective(found, both).total) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("term", sorted(TERMS))
def test_every_term_pulls_on_the_prediction(term: str) -> None:
    pair = small_pair()
    leaves = tuple(p.requires_grad_() for p in registration(pair).parameters)
    loss = Objective({term: 1.0})(Registration(leaves, Displacements()), pair)
    loss.total.backward()
    assert leaves[0].grad is not None
    assert torch.isfinite(leaves[0].grad).all()
    assert leaves[0].grad.abs().max() > 0


@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_values_and_gradients_in_parts_are_those_of_the_whole_batch(pairs: int) -> None:
    pair = small_pair(pairs)
    objective = Objective({"lcc": 1.0, "dice": 3.0, "l2": 0.5, "diffusion": 2.0}, lcc_window=5)
    shape = registration(pair)
    leaves = [tuple(p.clone().requires_grad_() for p in shape.parameters) for _ in range(2)]
    loss = objective(Registration(leaves[0], Displacements()), pair)
    (2 * loss.total).backward()
    terms = objective.terms(Registration(leaves[1], Displacements()), pair).mean(1)
    whole = (torch.tensor(list(objective.weights.values())) * terms).sum()
    (2 * whole).backward()
    torch.testing.assert_close(loss.total, whole)
    torch.testing.assert_close(torch.stack(list(loss.terms.values())), terms)
    for one, other in zip(*leaves, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_what_does_not_enter_the_loss_gets_no_gradient() -> None:
    pair = small_pair()
    leaves = tuple(p.requires_grad_() for p in registration(pair).parameters)
    Objective({"dice": 1.0})(Registration(leaves, Displacements()), pair).total.backward()
    assert all(p.grad is not None and p.grad.abs().max() == 0 for p in leaves[1:])


def test_nothing_is_differentiated_where_nothing_needs_it() -> None:
    pair = small_pair()
    with torch.no_grad():
        loss = Objective()(registration(pair), pair)
    assert not loss.total.requires_grad


def test_terms_of_weight_zero_are_not_computed() -> None:
    pair = small_pair()
    loss = Objective({"lcc": 0.0, "l1": 1.0})(registration(pair), pair)
    assert set(loss.terms) == {"l1"}


def test_five_labels_need_no_change_of_code() -> None:
    pair = small_pair()
    loss = Objective({"dice": 1.0}, labels=(1, 2, 3, 4, 5))(registration(pair), pair)
    assert 0 < float(loss.total) < 1


def test_bad_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown loss terms"):
        Objective({"ncc": 1.0})
    with pytest.raises(ValueError, match="above 0"):
        Objective({"lcc": 0.0})
    with pytest.raises(ValueError, match="odd"):
        Objective(lcc_window=8)
    with pytest.raises(ValueError, match="0 or more"):
        Objective({"lcc": 1.0, "l1": -0.1})
