"""The siamese network."""

from __future__ import annotations

import pytest
import torch

from hipreg.models import Architecture, build, parameter_count
from tests.helpers import SMALL, TINY, small_pair, smooth_images


def trained_like(architecture: Architecture = TINY) -> torch.nn.Module:
    """A network whose heads are not zero, as after some training."""
    net = build(architecture)
    torch.manual_seed(0)
    for head in (net.decoder.head, *net.decoder.coarse_heads):
        torch.nn.init.normal_(head.weight, std=0.1)
    return net.eval()


def test_zero_initialised_net_is_the_identity() -> None:
    pair = small_pair()
    found = build(TINY)(pair.moving, pair.fixed)
    assert max(field.abs().max() for field in found.displacements) < 1e-5
    assert found.deviation.abs().max() == 0


def test_published_network_has_30_8_million_parameters() -> None:
    assert parameter_count(build(Architecture())) == pytest.approx(30.8e6, rel=2e-3)


def test_deep_supervision_gives_one_displacement_a_level_and_one() -> None:
    pair = small_pair()
    found = trained_like()(pair.moving, pair.fixed)
    assert [field.shape for field in found.displacements] == [(2, 3, *SMALL)] * (
        TINY.pool_blocks + 1
    )
    alone = build(Architecture(channel_multiplication=0.5, pool_blocks=2, deep_supervision=False))
    assert len(alone(pair.moving, pair.fixed).displacements) == 1


def test_an_image_registered_to_itself_is_not_moved_by_skips_alone() -> None:
    image = smooth_images(1)
    net = trained_like()
    other = smooth_images(1, seed=5)
    # Features are merged by subtraction, so the images enter through their difference alone.
    first, second = net(image, image), net(other, other)
    torch.testing.assert_close(first.displacement, second.displacement)


def test_both_directions_equal_two_single_ones() -> None:
    pair = small_pair()
    net = trained_like()
    both = net.both_directions(pair.moving, pair.fixed)
    forward = net(pair.moving, pair.fixed)
    backward = net(pair.fixed, pair.moving)
    for part, alone in ((slice(0, 2), forward), (slice(2, 4), backward)):
        torch.testing.assert_close(both.of(part).displacements, alone.displacements)


def test_pairs_of_a_batch_do_not_influence_one_another() -> None:
    pair = small_pair()
    net = trained_like()
    together = net(pair.moving, pair.fixed).displacement
    alone = net(pair.moving[:1], pair.fixed[:1]).displacement
    torch.testing.assert_close(together[:1], alone, atol=1e-4, rtol=1e-4)


def test_input_stride_predicts_full_size_displacements() -> None:
    pair = small_pair()
    net = trained_like(Architecture(channel_multiplication=0.5, pool_blocks=1, input_stride=2))
    assert net(pair.moving, pair.fixed).displacement.shape == (2, 3, *SMALL)


@pytest.mark.parametrize("norm", ["instance", "batch", "none"])
@pytest.mark.parametrize("activation", ["leaky_relu", "relu", "prelu", "tanh", "none"])
def test_every_norm_and_activation_trains(norm: str, activation: str) -> None:
    pair = small_pair()
    net = build(
        Architecture(channel_multiplication=0.5, pool_blocks=2, norm=norm, activation=activation)
    )
    torch.nn.init.normal_(net.decoder.head.weight, std=0.1)
    net(pair.moving, pair.fixed).displacement.square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize("last", ["sigmoid", "tanh", "linear"])
def test_every_last_activation_starts_at_the_identity(last: str) -> None:
    pair = small_pair()
    net = build(Architecture(channel_multiplication=0.5, pool_blocks=2, last_activation=last))
    assert net(pair.moving, pair.fixed).displacement.abs().max() < 1e-5


def test_frozen_last_layer_gets_no_gradient() -> None:
    pair = small_pair()
    net = build(
        Architecture(
            channel_multiplication=0.5, pool_blocks=2, freeze_last_layer=True, zero_init=False
        )
    )
    sum(field.sum() for field in net(pair.moving, pair.fixed).displacements).backward()
    assert net.decoder.head.weight.grad is None
    assert net.encoder.input.first[0].weight.grad is not None


def test_building_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    build(TINY, seed=7)
    assert torch.equal(torch.rand(3), expected)


def test_seed_decides_the_initial_weights() -> None:
    def weight(seed: int) -> torch.Tensor:
        return build(TINY, seed=seed).encoder.input.first[0].weight

    assert torch.equal(weight(1), weight(1))
    assert not torch.equal(weight(1), weight(2))


def test_sizes_that_do_not_pool_are_refused() -> None:
    image = torch.rand(1, 1, 16, 16, 18)
    with pytest.raises(ValueError, match="multiple of 4"):
        build(TINY)(image, image)
    with pytest.raises(ValueError, match="one shape"):
        build(TINY)(smooth_images(1), smooth_images(2))


def test_volumes_too_small_for_instance_norm_say_so() -> None:
    image = torch.rand(1, 1, 4, 4, 4)
    with pytest.raises(ValueError, match="fewer pooling blocks"):
        build(TINY)(image, image)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pool_blocks": 7}, "7 pooling blocks need 8"),
        ({"convolutions": (1, 0, 1, 1)}, "positive convolutions"),
        ({"channel_multiplication": 0.1}, "without channels"),
        ({"input_stride": 0}, "at least 1"),
    ],
)
def test_impossible_architectures_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Architecture(**change)  # type: ignore[arg-type]


def test_unknown_norm_activation_and_last_activation_are_refused() -> None:
    for change in ({"norm": "layer"}, {"activation": "elu"}, {"last_activation": "relu"}):
        with pytest.raises(ValueError, match="must be one of"):
            build(Architecture(channel_multiplication=0.5, pool_blocks=2, **change))
