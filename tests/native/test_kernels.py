"""The compiled kernels: what their callers' tests, which run with and without them, do not see."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from hipreg.losses import lcc
from hipreg.models.instance_norm import InstanceNorm
from hipreg.native import build, kernels
from hipreg.spatial import (
    exponential,
    integrate_gradients,
    sample,
    sample_affine,
    warp,
    warp_held,
)
from hipreg.types import Size
from tests.helpers import generator, skip_or_fail, smooth_images

ODD = (5, 9, 7)


@pytest.fixture(autouse=True)
def compiled() -> Iterator[None]:
    if build.library() is None:
        skip_or_fail("no C compiler, so there are no compiled kernels to test")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def plainly(call: Callable[[], Tensor], monkeypatch: pytest.MonkeyPatch) -> Tensor:
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "_kernels", lambda: None)
        return call()


def channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last_3d)


def everything() -> list[Tensor]:
    """Values and gradients of every kernel, on odd sizes."""
    image = smooth_images(2, size=ODD)
    field = (2 * torch.randn(2, 3, *ODD, generator=generator(1))).requires_grad_()
    warped = warp(image, field)
    value = lcc(warped[None], smooth_images(2, size=ODD, seed=2), window=5)
    gradient = torch.rand(2, 3, *ODD, generator=generator(3)).requires_grad_()
    displacement = integrate_gradients(gradient, size=(10, 9, 14))
    velocity = (3 * torch.randn(3, 3, *ODD, generator=generator(6))).requires_grad_()
    flow = exponential(velocity)
    read = warp_held(smooth_images(3, size=ODD), flow)
    features = torch.randn(2, 5, *ODD, generator=generator(4)).requires_grad_()
    norm = InstanceNorm(slope=0.01)(channels_last(features.clone()))
    found = [warped, value, displacement, flow, read, norm]
    weights = [torch.rand(x.shape, generator=generator(5)) for x in found]
    sum((x * w).sum() for x, w in zip(found, weights, strict=True)).backward()
    grads = [leaf.grad for leaf in (field, gradient, velocity, features)]
    return [*found, *(grad for grad in grads if grad is not None)]


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append(everything())
    for found in results[1:]:
        for one, other in zip(results[0], found, strict=True):
            assert torch.equal(one, other)


def test_odd_sizes_give_what_plain_pytorch_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = everything()
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "_kernels", lambda: None)
        plain = everything()
    for one, other in zip(compiled, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 4, 4), (4, 1, 4), (4, 4, 1), (3, 40, 2)])
@pytest.mark.parametrize("window", [1, 9, 31])
def test_windows_may_be_larger_than_the_volume(
    size: tuple[int, int, int], window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = torch.rand(1, 1, 1, *size, generator=generator())
    second = torch.rand(1, 1, *size, generator=generator(1))

    def gradient() -> Tensor:
        leaf = first.clone().requires_grad_()
        value = lcc(leaf, second, window=window)
        value.sum().backward()
        assert leaf.grad is not None
        return torch.cat([value.detach().flatten(), leaf.grad.flatten()])

    expected = plainly(gradient, monkeypatch)
    torch.testing.assert_close(gradient(), expected, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30, -1e30])
def test_positions_far_outside_read_zero_and_pull_nothing(value: float) -> None:
    image = torch.ones(1, 1, 4, 4, 4)
    field = torch.zeros(1, 3, 4, 4, 4)
    field[:, 1] = value
    field.requires_grad_()
    warped = warp(image, field)
    warped.sum().backward()
    assert warped.abs().max() == 0
    assert field.grad is not None
    assert field.grad.abs().max() == 0


def test_halves_are_rounded_as_pytorch_rounds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    # A line of 5 voxels: halves are exact in normalised coordinates too.
    line = torch.arange(1.0, 6.0).reshape(1, 1, 1, 1, 5)
    positions = torch.zeros(1, 3, 1, 1, 8)
    positions[:, 2] = torch.arange(8) - 1.5

    def read() -> Tensor:
        return sample(line, positions, interpolation="nearest")

    assert torch.equal(read(), plainly(read, monkeypatch))


@pytest.mark.parametrize("source", [ODD, (16, 2, 33), (2, 3, 40)])
@pytest.mark.parametrize("size", [(6, 4, 11), (3, 1, 33), (1, 5, 16)])
def test_affine_sampling_equals_plain_pytorch_at_its_positions(
    source: Size, size: Size, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = torch.rand(2, 3, *source, generator=generator())
    labels = torch.randint(0, 200, (2, 2, *source), generator=generator(1), dtype=torch.uint8)
    maps = torch.randn(3, 3, 4, generator=generator(2)) * 0.3 + torch.eye(3, 4)
    rows = torch.tensor([1, 0, 1])
    found, found_labels = sample_affine(images, labels, maps, rows=rows, size=size)
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "_kernels", lambda: None)
        plain, plain_labels = sample_affine(images, labels, maps, rows=rows, size=size)
    assert found.abs().max() > 0
    torch.testing.assert_close(found, plain, atol=2e-5, rtol=1e-5)
    assert (found_labels != plain_labels).float().mean() < 0.01  # ties in the last digit


def test_affine_sampling_does_not_depend_on_the_number_of_threads() -> None:
    images, maps = smooth_images(3, size=ODD), torch.eye(3, 4).repeat(3, 1, 1)
    maps[:, :, 3] = 0.4

    def read(threads: int) -> tuple[Tensor, Tensor]:
        torch.set_num_threads(threads)
        labels = (images > 0.5).to(torch.uint8)
        return sample_affine(images, labels, maps, rows=torch.arange(3), size=(6, 4, 11))

    one, several = read(1), read(3)
    assert torch.equal(one[0], several[0])
    assert torch.equal(one[1], several[1])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30, -1e30])
def test_affine_maps_to_far_outside_read_zero(value: float) -> None:
    maps = torch.eye(3, 4)[None].clone()
    maps[0, 1, 3] = value
    images, labels = torch.ones(1, 1, 4, 4, 4), torch.ones(1, 1, 4, 4, 4, dtype=torch.uint8)
    found, found_labels = sample_affine(
        images, labels, maps, rows=torch.zeros(1, dtype=torch.int64), size=(4, 4, 4)
    )
    assert found.abs().max() == 0
    assert found_labels.max() == 0


def test_strided_volumes_are_read_right(monkeypatch: pytest.MonkeyPatch) -> None:
    image = smooth_images(2, size=(7, 9, 5)).transpose(2, 4)
    field = torch.randn(2, 3, *ODD[::-1], generator=generator()).transpose(2, 4)

    def read() -> Tensor:
        return warp(image, field)

    torch.testing.assert_close(read(), plainly(read, monkeypatch), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16, 33])
@pytest.mark.parametrize("offset", [0.0, 50.0])
def test_instance_norm_is_exact_however_many_channels(channels: int, offset: float) -> None:
    x = torch.randn(2, channels, 11, 12, 10, generator=generator()) + offset
    weight = torch.randn(x.shape, generator=generator(1))
    exact = x.double().requires_grad_()
    expected = F.leaky_relu(F.instance_norm(exact), 0.01)
    (expected * weight).sum().backward()
    leaf = x.clone().requires_grad_()
    found = InstanceNorm(slope=0.01)(channels_last(leaf + 0))
    (found * weight).sum().backward()
    torch.testing.assert_close(found.double(), expected, atol=2e-5, rtol=1e-5)
    assert leaf.grad is not None
    assert exact.grad is not None
    # Values next to the kink may fall on its other side.
    far = expected.abs() > 1e-3
    error = (leaf.grad.double() - exact.grad).abs()[far].max()
    assert error < 1e-3 * exact.grad.abs().max()


def test_bfloat16_features_are_normalised_in_float32_and_rounded_once() -> None:
    x = channels_last(torch.randn(2, 6, 8, 8, 8, generator=generator()).bfloat16())
    expected = InstanceNorm(slope=0.01)(x.float())
    found = InstanceNorm(slope=0.01)(x.clone(memory_format=torch.preserve_format))
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, expected.bfloat16())


def test_a_nan_among_the_features_is_not_hidden() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.randn(1, 4, 8, 8, 8, generator=generator()).to(dtype)
        x[0, 1, 3, 3, 3] = float("nan")
        found = InstanceNorm(slope=0.01)(channels_last(x))
        assert found[0, 1].isnan().all()
        assert not found[0, 0].isnan().any()


def test_constant_features_become_zero() -> None:
    x = channels_last(torch.full((1, 4, 8, 8, 8), 7.0))
    assert InstanceNorm()(x).abs().max() == 0
