"""Integration of spatial gradients."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch.nn import functional as F

from hipreg.spatial import IDENTITY_GRADIENT, identity_grid, integrate_gradients
from tests.helpers import SMALL, generator


def published_positions(gradient: torch.Tensor) -> torch.Tensor:
    """Sampling positions in voxels by the formula of the paper, in normalised coordinates."""
    voxels = []
    for axis in range(3):
        n = gradient.shape[2 + axis]
        normalised = (4 * gradient[:, axis].cumsum(1 + axis) - 2) / (n - 1) - 1
        voxels.append((normalised + 1) / 2 * (n - 1))
    return torch.stack(voxels, dim=1)


def test_gradient_of_the_identity_gives_no_displacement() -> None:
    gradient = torch.full((2, 3, 8, 12, 16), IDENTITY_GRADIENT)
    assert integrate_gradients(gradient, size=(8, 12, 16)).abs().max() == 0


def test_positions_are_those_of_the_published_formula() -> None:
    gradient = torch.rand(2, 3, 8, 12, 16, generator=generator())
    displacement = integrate_gradients(gradient, size=(8, 12, 16))
    positions = identity_grid((8, 12, 16)) + displacement
    torch.testing.assert_close(positions, published_positions(gradient), atol=1e-4, rtol=0)


@pytest.mark.parametrize("upsampling", ["nearest", "linear"])
def test_coarse_gradient_equals_its_upsampling(upsampling: Literal["nearest", "linear"]) -> None:
    coarse = torch.rand(1, 3, 4, 4, 4, generator=generator())
    mode = "trilinear" if upsampling == "linear" else "nearest"
    full = F.interpolate(coarse, size=SMALL, mode=mode)
    torch.testing.assert_close(
        integrate_gradients(coarse, size=SMALL, upsampling=upsampling),
        integrate_gradients(full, size=SMALL),
        atol=1e-5,
        rtol=0,
    )


def test_hand_computed_line() -> None:
    gradient = torch.full((1, 3, 2, 2, 4), 0.5)
    gradient[0, 2, 0, 0] = torch.tensor([0.75, 0.5, 0.5, 0.25])
    displacement = integrate_gradients(gradient, size=(2, 2, 4))
    assert displacement[0, 2, 0, 0].tolist() == [0.5, 0.5, 0.5, 0.0]
    assert displacement[0, :2].abs().max() == 0


def test_positive_gradients_never_fold_along_their_axis() -> None:
    gradient = torch.rand(1, 3, *SMALL, generator=generator()).clamp(min=1e-3)
    positions = identity_grid(SMALL) + integrate_gradients(gradient, size=SMALL)
    for axis in range(3):
        assert positions[:, axis].diff(dim=1 + axis).min() > 0


def test_gradient_of_integration_is_exact() -> None:
    gradient = torch.rand(1, 3, 2, 2, 2, generator=generator(), dtype=torch.float64)
    weight = torch.rand(1, 3, 4, 4, 4, generator=generator(1))
    gradient.requires_grad_()
    integrate_gradients(gradient, size=(4, 4, 4)).mul(weight).sum().backward()
    full = F.interpolate(gradient.detach(), size=(4, 4, 4), mode="nearest").requires_grad_()
    reference = published_positions(full)
    reference.mul(weight).sum().backward()
    assert gradient.grad is not None
    assert full.grad is not None
    pooled = F.avg_pool3d(full.grad, 2) * 8
    torch.testing.assert_close(gradient.grad, pooled, rtol=1e-5, atol=1e-5)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="gradient is"):
        integrate_gradients(torch.rand(1, 2, 4, 4, 4), size=(4, 4, 4))
    with pytest.raises(ValueError, match="does not divide"):
        integrate_gradients(torch.rand(1, 3, 3, 4, 4), size=(4, 4, 4))


def test_training_may_follow_an_evaluation_of_the_same_size() -> None:
    size = (6, 10, 14)  # of no other test: what is prepared for a size is kept
    with torch.inference_mode():
        integrate_gradients(torch.full((1, 3, 3, 5, 7), 0.4), size=size)
    gradient = torch.full((1, 3, 3, 5, 7), 0.4, requires_grad=True)
    integrate_gradients(gradient, size=size).sum().backward()
    assert gradient.grad is not None
