"""Stationary velocities and the displacements of flowing along them."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from hipreg.spatial import VelocityIntegration, compose, exponential, upsample, warp_held
from tests.helpers import SMALL, generator, random_displacement

GRID = (16, 20, 12)


def smooth_velocity(
    batch: int = 1, *, largest: float = 3.0, size: tuple[int, int, int] = GRID, seed: int = 0
) -> Tensor:
    """(batch, 3, D, H, W): the two slowest sines along each axis, of up to ``largest`` voxels."""
    weights = torch.randn(batch, 3, 2, 2, 2, generator=generator(seed))
    d, h, w = (
        torch.sin(torch.tensor([[1.0], [2.0]]) * math.pi * (torch.arange(n) + 0.5) / n)
        for n in size
    )
    smooth = torch.einsum("bcijk,id,jh,kw->bcdhw", weights, d, h, w)
    return smooth * (largest / smooth.abs().max())


def inner(field: Tensor, margin: int = 3) -> Tensor:
    core = slice(margin, -margin)
    return field[..., core, core, core]


def test_zero_velocity_is_the_identity() -> None:
    assert not exponential(torch.zeros(2, 3, *SMALL)).any()
    transform = VelocityIntegration((32, 32, 32))
    assert not transform(torch.full((1, 3, *SMALL), transform.identity)).any()


def test_constant_velocity_is_a_translation() -> None:
    velocity = torch.tensor([1.5, -0.25, 0.75]).view(1, 3, 1, 1, 1).repeat(1, 1, *GRID)
    torch.testing.assert_close(exponential(velocity), velocity)
    full = VelocityIntegration((32, 40, 24))(velocity)
    torch.testing.assert_close(full, velocity[..., :1, :1, :1].expand_as(full))


def test_linear_velocity_flows_exponentially() -> None:
    # v(x) = a (x - c) takes x to c + exp(a) (x - c): (exp(a) - 1) (x - c) from where it was.
    offset = torch.arange(16.0) - 7.5
    velocity = torch.zeros(1, 3, *SMALL)
    velocity[:, 1] = 0.2 * offset[:, None]
    wanted = torch.expm1(torch.tensor(0.2)) * offset[:, None].expand(16, 16)
    found = exponential(velocity, squarings=12)[0, 1, 8]
    torch.testing.assert_close(found[3:-3], wanted[3:-3], atol=2e-3, rtol=0)


def inverse_error(velocity: Tensor) -> float:
    """How far there and back again ends from the start, in voxels, away from the border."""
    rest = compose(exponential(velocity), exponential(-velocity))
    return float(inner(rest, velocity.shape[-1] // 4).abs().mean())


def test_displacement_of_the_negative_velocity_is_the_inverse_up_to_interpolation() -> None:
    coarse = smooth_velocity(largest=2.0)
    fine = smooth_velocity(largest=4.0, size=(32, 40, 24))
    assert exponential(coarse).abs().max() > 1.5
    assert inverse_error(coarse) < 0.03
    # On half the voxel's edge linear interpolation errs by a quarter, that is half of its voxels.
    assert inverse_error(fine) < 0.65 * inverse_error(coarse)


def test_flowing_twice_for_half_the_time_is_flowing_once() -> None:
    velocity = smooth_velocity(largest=2.0)
    half = exponential(velocity / 2)
    assert inner(compose(half, half) - exponential(velocity)).abs().max() < 0.02


def test_full_grid_displacements_of_both_directions_are_inverses() -> None:
    velocity = smooth_velocity(largest=4.0)
    transform = VelocityIntegration((32, 40, 24))
    rest = inner(compose(transform(velocity), transform(-velocity)), 6)
    assert rest.abs().mean() < 0.02
    assert rest.abs().max() < 0.25


@pytest.mark.parametrize("seed", range(3))
def test_smooth_velocities_of_the_size_of_anatomy_never_fold(seed: int) -> None:
    # 8 voxels within 10 on the full grid: more than hippocampi ever need.
    velocity = smooth_velocity(largest=8.0, seed=seed, size=SMALL)
    position = VelocityIntegration((32, 32, 32))(velocity)[0]
    steps = [position.diff(dim=axis)[:, :31, :31, :31] for axis in (1, 2, 3)]
    jacobian = torch.stack(steps, dim=1).permute(2, 3, 4, 0, 1) + torch.eye(3)
    assert torch.linalg.det(jacobian).min() > 0


def test_gradient_is_that_of_finite_differences() -> None:
    velocity = smooth_velocity(size=(3, 2, 4)).double().requires_grad_()
    transform = VelocityIntegration((6, 4, 8), squarings=3)
    assert torch.autograd.gradcheck(transform, velocity, atol=1e-5)


def test_gradient_in_single_precision_is_that_in_double() -> None:
    velocity = smooth_velocity(2, size=(6, 8, 4))
    weight = random_displacement(2, size=(12, 16, 8))
    found, wanted = (
        torch.autograd.grad(VelocityIntegration((12, 16, 8))(v), v, weight.to(v))[0]
        for v in (velocity.clone().requires_grad_(), velocity.double().requires_grad_())
    )
    torch.testing.assert_close(found.double(), wanted, atol=1e-4, rtol=1e-4)


def test_pairs_of_a_batch_flow_each_for_itself() -> None:
    velocity = smooth_velocity(3)
    assert torch.equal(exponential(velocity)[1:2], exponential(velocity[1:2]))


def test_linear_volumes_are_upsampled_exactly_and_keep_their_values() -> None:
    ramp = torch.arange(4.0).view(1, 1, 4, 1, 1).expand(1, 1, 4, 2, 2)
    line = upsample(ramp, (8, 4, 2))[0, 0, :, 0, 0]
    wanted = torch.tensor([0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0])
    torch.testing.assert_close(line, wanted)


def test_grids_that_do_not_divide_and_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="does not divide"):
        VelocityIntegration((20, 16, 16))(torch.zeros(1, 3, 8, 8, 8))
    with pytest.raises(ValueError, match=r"\(B, 3, d, h, w\)"):
        VelocityIntegration((16, 16, 16))(torch.zeros(1, 2, 8, 8, 8))


def test_border_goes_on_beyond_the_volume() -> None:
    volume = torch.arange(4.0).view(1, 1, 4, 1, 1).expand(1, 1, 4, 3, 5).contiguous()
    shift = torch.zeros(1, 3, 4, 3, 5)
    shift[:, 0] = 2.5
    wanted = torch.tensor([2.5, 3.0, 3.0, 3.0])
    torch.testing.assert_close(warp_held(volume, shift)[0, 0, :, 1, 1], wanted)


def test_reading_at_displaced_places_has_the_gradients_of_finite_differences() -> None:
    volume = torch.rand(2, 5, 4, 3, 5, dtype=torch.float64, generator=generator(1))
    field = 3 * torch.rand(2, 3, 4, 3, 5, dtype=torch.float64, generator=generator(2)) - 1.5
    double = (volume.requires_grad_(), field.requires_grad_())
    assert torch.autograd.gradcheck(warp_held, double)
    upstream = torch.rand(2, 5, 4, 3, 5, dtype=torch.float64, generator=generator(3))
    single = tuple(x.detach().float().requires_grad_() for x in double)
    wanted = torch.autograd.grad(warp_held(*double), double, upstream)
    found = torch.autograd.grad(warp_held(*single), single, upstream.float())
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.double(), other, atol=1e-4, rtol=1e-4)


def test_what_an_evaluation_met_first_still_gives_gradients() -> None:
    size = (20, 12, 28)  # which no other test has
    velocity = torch.zeros(1, 3, 10, 6, 14)
    with torch.inference_mode():
        VelocityIntegration(size)(velocity)
    leaf = velocity.requires_grad_()
    VelocityIntegration(size)(leaf).sum().backward()
    assert leaf.grad is not None
