"""The direct step says what the fast one says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hipreg.benchmark.direct import (
    DirectRegistration,
    direct_deformations,
    direct_integrate,
    direct_lcc_loss,
    direct_objective,
    direct_register,
)
from hipreg.benchmark.setting import architecture_of
from hipreg.benchmark.steps import contiguous
from hipreg.data import load_cohort, splits_for
from hipreg.data.augment import central_crop
from hipreg.data.batches import CaseBank
from hipreg.losses import Loss, Objective
from hipreg.models import Architecture, RegistrationNet, build
from hipreg.spatial import integrate_gradients
from hipreg.training import evaluate_objective
from hipreg.types import Pair
from tests.benchmark.helpers import SHALLOW, synthetic_batch
from tests.helpers import SMALL, box_label, generator, small_pair, smooth_images

PUBLISHED = Objective()
OTHER = Objective({"mse": 1.0, "l2": 0.5})


def gradients(net: nn.Module) -> Tensor:
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


def fast(net: RegistrationNet, pair: Pair, objective: Objective, *, symmetric: bool) -> Loss:
    loss, _ = evaluate_objective(net, pair, objective, symmetric=symmetric, precision="float32")
    return loss


def direct(net: RegistrationNet, pair: Pair, objective: Objective, *, symmetric: bool) -> Loss:
    found = direct_register(net, pair.moving, pair.fixed, symmetric=symmetric)
    return direct_objective(objective, found, pair)


def same_predictions(net: RegistrationNet, pair: Pair, objective: Objective) -> tuple[Loss, Loss]:
    """The fast symmetric loss, and the direct one of the predictions that it was made of."""
    heads = [net.decoder.head, *list(net.decoder.coarse_heads)[::-1]]
    outputs: dict[nn.Module, Tensor] = {}
    handles = [
        head.register_forward_hook(lambda module, _, output: outputs.update({module: output}))
        for head in heads
    ]
    loss = fast(net, pair, objective, symmetric=True)
    for handle in handles:
        handle.remove()
    d, h, w = pair.fixed.shape[2:]
    ways: list[DirectRegistration] = [
        direct_deformations(
            [outputs[head].chunk(2)[way] for head in heads],
            net.decoder.last_activation,
            size=(d, h, w),
        )
        for way in (0, 1)
    ]
    return loss, direct_objective(objective, ways, pair)


def assert_same_values(one: Loss, other: Loss) -> None:
    torch.testing.assert_close(one.total, other.total, rtol=1e-4, atol=0)
    assert list(one.terms) == list(other.terms)
    for name, value in one.terms.items():
        torch.testing.assert_close(value, other.terms[name], rtol=1e-4, atol=0, msg=name)


def assert_same_gradients(one: Tensor, other: Tensor) -> None:
    assert float(other.norm()) > 0
    assert float((one - other).norm() / other.norm()) < 1e-3
    assert float((one - other).abs().max() / other.abs().max()) < 1e-3


def assert_same_weight_gradients(net: RegistrationNet, pair: Pair, objective: Objective) -> None:
    losses = same_predictions(net, pair, objective)
    assert_same_values(*losses)
    weights = list(net.parameters())
    one, other = (torch.autograd.grad(loss.total, weights, retain_graph=True) for loss in losses)
    assert_same_gradients(*(torch.cat([g.flatten() for g in some]) for some in (one, other)))


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("objective", [PUBLISHED, OTHER], ids=["published", "other"])
def test_total_terms_and_gradients_equal_the_fast_step(
    objective: Objective, symmetric: bool
) -> None:
    pair = small_pair()
    nets = build(SHALLOW), contiguous(build(SHALLOW))
    losses = [
        f(n, pair, objective, symmetric=symmetric)
        for f, n in zip((fast, direct), nets, strict=True)
    ]
    assert_same_values(*losses)
    for loss in losses:
        loss.total.backward()
    assert_same_gradients(gradients(nets[0]), gradients(nets[1]))


@pytest.mark.parametrize("objective", [PUBLISHED, OTHER], ids=["published", "other"])
def test_synthetic_pairs_of_the_same_predictions_have_the_same_gradients(
    objective: Objective,
) -> None:
    assert_same_weight_gradients(build(SHALLOW), synthetic_batch(), objective)


@pytest.fixture
def real_pairs(real_data: Path, tmp_path: Path) -> Pair:
    cohort = load_cohort(data_dir=real_data, cache_dir=tmp_path)
    bank = CaseBank.of(cohort, splits_for(cohort.description).fit[:4])
    return bank.pair(torch.tensor([0, 1]), torch.tensor([2, 3]))


@pytest.mark.real_data
def test_whole_step_on_a_real_pair_has_the_direct_values_and_gradients(real_pairs: Pair) -> None:
    pair = central_crop(real_pairs.of(slice(0, 1)), size=(48, 64, 48))
    nets = build(architecture_of(1)), contiguous(build(architecture_of(1)))
    losses = [
        step(net, pair, PUBLISHED, symmetric=True)
        for step, net in zip((fast, direct), nets, strict=True)
    ]
    assert_same_values(*losses)
    for loss in losses:
        loss.total.backward()
    assert_same_gradients(gradients(nets[0]), gradients(nets[1]))


@pytest.mark.real_data
def test_real_pairs_of_the_same_predictions_have_the_same_gradients(real_pairs: Pair) -> None:
    """Of every weight; rounding in the network itself may change signs before an activation."""
    pair = central_crop(real_pairs, size=(32, 32, 32))
    for architecture in (SHALLOW, architecture_of(1)):
        assert_same_weight_gradients(build(architecture), pair, PUBLISHED)


def test_identity_gradient_is_no_displacement() -> None:
    assert direct_integrate(torch.full((1, 3, 4, 5, 6), 0.5)).abs().max() == 0


def test_integration_equals_the_fast_one() -> None:
    gradient = torch.rand(2, 3, *SMALL, generator=generator())
    expected = integrate_gradients(gradient, size=SMALL)
    torch.testing.assert_close(direct_integrate(gradient), expected, rtol=0, atol=1e-4)


def test_equal_images_cost_next_to_nothing() -> None:
    image = smooth_images(1)
    inner = torch.zeros_like(image, dtype=torch.bool)
    inner[..., 4:-4, 4:-4, 4:-4] = True
    assert float(direct_lcc_loss(image, image, inner, 9)) < 0.01


def test_both_directions_of_equal_images_cost_the_same() -> None:
    images, label = smooth_images(1), box_label()
    pair = Pair(images, images, label, label)
    net = build(SHALLOW)
    one_way = direct(net, pair, PUBLISHED, symmetric=False)
    both = direct(net, pair, PUBLISHED, symmetric=True)
    torch.testing.assert_close(one_way.total, both.total)


def test_unpublished_terms_and_networks_are_refused() -> None:
    net, pair = build(SHALLOW), small_pair()
    with pytest.raises(ValueError, match="diffusion"):
        direct(net, pair, Objective({"diffusion": 1.0}), symmetric=False)
    strided = build(Architecture(channel_multiplication=0.5, pool_blocks=2, input_stride=2))
    with pytest.raises(ValueError, match="input_stride"):
        direct(strided, pair, PUBLISHED, symmetric=False)
