"""Local cross correlation."""

from __future__ import annotations

from importlib import import_module

import pytest
import torch

from hipreg.losses import lcc
from tests.helpers import generator, smooth_images
from tests.losses.direct import direct_lcc_map


@pytest.mark.parametrize("window", [3, 5, 9, 15])
def test_value_and_gradient_equal_the_direct_definition(window: int) -> None:
    size = (12, 16, 8)
    warped = torch.stack([smooth_images(2, size=size, seed=s) for s in (1, 2)]).requires_grad_()
    fixed = smooth_images(2, size=size, seed=3)
    mask = torch.rand(2, 2, 1, *size, generator=generator()) > 0.3
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    value = lcc(warped, fixed, window=window, mask=mask)
    (value * weight).sum().backward()

    reference = warped.detach().clone().double().requires_grad_()
    direct = torch.stack([direct_lcc_map(one, fixed, window) for one in reference])
    dims = (2, 3, 4, 5)
    expected = (direct * mask).sum(dims) / mask.sum(dims)
    (expected * weight).sum().backward()
    torch.testing.assert_close(value.double(), expected, atol=1e-5, rtol=0)
    assert warped.grad is not None
    assert reference.grad is not None
    scale = reference.grad.abs().max()
    assert (warped.grad - reference.grad).abs().max() < 1e-3 * scale
    torch.testing.assert_close(warped.grad.double(), reference.grad, atol=1e-5, rtol=0)


def test_linear_change_of_intensities_is_perfect_correlation() -> None:
    fixed = torch.rand(1, 1, 16, 16, 16, generator=generator())
    warped = (1 - 0.5 * fixed)[None]
    # Zero padding breaks the linear relation where windows reach over the border.
    inner = torch.zeros_like(warped, dtype=torch.bool)
    inner[..., 4:-4, 4:-4, 4:-4] = True
    assert float(lcc(warped, fixed, window=9, mask=inner)) == pytest.approx(1, abs=2e-3)


def test_independent_images_do_not_correlate() -> None:
    images = torch.rand(2, 1, 16, 16, 16, generator=generator())
    inner = torch.zeros(1, 1, 1, 16, 16, 16, dtype=torch.bool)
    inner[..., 4:-4, 4:-4, 4:-4] = True
    assert float(lcc(images[None, :1], images[1:], window=9, mask=inner)) < 0.02


@pytest.mark.parametrize("noise", [0.0, 1e-7, 1e-5])
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_constant_and_near_constant_regions_give_almost_no_value_or_gradient(
    level: float, noise: float
) -> None:
    size = (1, 1, 16, 16, 16)
    fixed = torch.full(size, level) + noise * torch.rand(size, generator=generator(1))
    warped = torch.full(size, level) + noise * torch.rand(size, generator=generator(2))
    warped = warped[None].requires_grad_()
    inner = torch.zeros(1, *size, dtype=torch.bool)
    inner[..., 4:-4, 4:-4, 4:-4] = True
    value = lcc(warped, fixed, mask=inner)
    value.sum().backward()
    assert warped.grad is not None
    assert float(value.detach()) < 1e-3
    assert torch.isfinite(warped.grad).all()
    assert warped.grad.abs().max() < 1e-3


def test_empty_mask_gives_zero_and_no_gradient() -> None:
    warped = smooth_images(1)[None].requires_grad_()
    mask = torch.zeros(1, 1, 1, 16, 16, 16, dtype=torch.bool)
    value = lcc(warped, smooth_images(1, seed=1), mask=mask)
    value.sum().backward()
    assert warped.grad is not None
    assert float(value.detach()) == 0
    assert warped.grad.abs().max() == 0


def test_bfloat16_images_get_a_bfloat16_gradient() -> None:
    warped = smooth_images(1).bfloat16()[None].requires_grad_()
    lcc(warped, smooth_images(1, seed=1)).sum().backward()
    assert warped.grad is not None
    assert warped.grad.dtype == torch.bfloat16


def test_bad_arguments_are_refused() -> None:
    image = smooth_images(1)
    with pytest.raises(ValueError, match="odd"):
        lcc(image[None], image, window=8)
    with pytest.raises(ValueError, match=r"over fixed"):
        lcc(image, image)
    with pytest.raises(ValueError, match="detach"):
        lcc(image[None], image.clone().requires_grad_())


def test_volumes_at_once_or_one_by_one_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    warped = torch.stack([smooth_images(3, seed=s) for s in (1, 2)]).requires_grad_()
    fixed = smooth_images(3, seed=3)
    found = []
    for chunk in (1, 2, 64):
        monkeypatch.setattr(import_module("hipreg.losses.lcc"), "CPU_CHUNK", chunk)
        value = lcc(warped, fixed)
        (gradient,) = torch.autograd.grad(value.sum(), warped)
        found.append((value.detach(), gradient))
    for one in found[1:]:
        torch.testing.assert_close(one, found[0], rtol=1e-6, atol=1e-9)
