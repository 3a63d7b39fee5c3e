"""The antisymmetric velocity network, and its guidance by predicted labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hipreg.models import (
    Checkpoint,
    GuidedArchitecture,
    GuidedNet,
    Kind,
    SegmentationArchitecture,
    VelocityArchitecture,
    VelocityNet,
    build_net,
    build_velocity_net,
    kinds,
    load_net,
    save_checkpoint,
)
from hipreg.spatial import compose, warp
from tests.helpers import SMALL, generator, small_pair, smooth_images

SLIM = VelocityArchitecture(
    channels=(4, 6, 8), encoder_convolutions=(1, 1, 1), decoder_convolutions=(1, 1, 2)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """A segmentation network without weights worth training: soft thresholds."""

    labels: tuple[int, ...] = (1, 2)


class ThresholdNet(nn.Module):
    size_multiple = 1

    def __init__(self) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.tensor([0.3, 0.6]))

    def probabilities(
        self, images: Tensor, *, flips: Sequence[int] = (), shifted: bool = False
    ) -> Tensor:
        return torch.sigmoid(20 * (images - self.at.view(1, 2, 1, 1, 1)))


@pytest.fixture
def thresholds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    kind = Kind(Thresholds, lambda architecture, seed=0: ThresholdNet())
    monkeypatch.setattr(kinds, "KINDS", dict(kinds.KINDS) | {"thresholds": kind})
    return


def trained_like(
    features: int = 0, *, scale: float = 0.2, antisymmetric: bool = True
) -> VelocityNet:
    """A network whose heads are not zero, as after some training."""
    shape = VelocityArchitecture(
        channels=SLIM.channels,
        encoder_convolutions=SLIM.encoder_convolutions,
        decoder_convolutions=SLIM.decoder_convolutions,
        features=features,
        deep_supervision=True,
        antisymmetric=antisymmetric,
    )
    net = build_velocity_net(shape)
    for seed, head in enumerate(net.heads):
        size = scale / (2 << seed)
        nn.init.normal_(head.weight, std=size / 3, generator=generator(seed))
        nn.init.normal_(head.bias, std=size, generator=generator(10 + seed))
    return net.eval()


def test_zero_initialised_net_is_the_identity() -> None:
    pair = small_pair()
    found = build_velocity_net(SLIM)(pair.moving, pair.fixed)
    assert found.parameters[0].shape == (2, 3, 8, 8, 8)
    assert found.displacement.shape == (2, 3, *SMALL)
    assert not found.displacement.any()
    assert not found.deviation.any()


def test_exchanging_the_images_changes_the_sign_of_every_velocity() -> None:
    pair, net = small_pair(), trained_like()
    with torch.no_grad():
        there, back = net(pair.moving, pair.fixed), net(pair.fixed, pair.moving)
    assert len(there.parameters) == 3
    assert there.parameters[0].abs().max() > 0.5
    for one, other in zip(there.parameters, back.parameters, strict=True):
        torch.testing.assert_close(one, -other, atol=1e-5, rtol=0)


def test_where_it_is_not_antisymmetric_both_directions_are_the_single_ones() -> None:
    pair, net = small_pair(), trained_like(antisymmetric=False)
    with torch.no_grad():
        both = net.both_directions(pair.moving, pair.fixed)
        there, back = net(pair.moving, pair.fixed), net(pair.fixed, pair.moving)
    for one, other, two in zip(there.parameters, back.parameters, both.parameters, strict=True):
        torch.testing.assert_close(two, torch.cat([one, other]), atol=1e-5, rtol=0)
    assert (there.parameters[0] + back.parameters[0]).abs().max() > 0.1


def test_both_directions_are_single_ones_and_inverses_of_each_other() -> None:
    pair, net = small_pair(), trained_like(scale=0.1)
    with torch.no_grad():
        both = net.both_directions(pair.moving, pair.fixed)
        there, back = net(pair.moving, pair.fixed), net(pair.fixed, pair.moving)
    for part, alone in ((slice(0, 2), there), (slice(2, 4), back)):
        torch.testing.assert_close(
            both.of(part).displacement, alone.displacement, atol=1e-4, rtol=0
        )
    forth, inverse = both.displacement.chunk(2)
    rest = compose(forth, inverse)[..., 4:-4, 4:-4, 4:-4]
    assert forth.abs().max() > 0.3
    assert rest.abs().mean() < 0.15 * forth.abs().mean()


def test_an_image_registered_to_itself_is_not_moved() -> None:
    image = smooth_images(2)
    assert trained_like()(image, image).displacement.abs().max() < 1e-5


def test_pairs_of_a_batch_do_not_influence_one_another() -> None:
    pair, net = small_pair(), trained_like()
    with torch.no_grad():
        together = net(pair.moving, pair.fixed).displacement
        alone = net(pair.moving[:1], pair.fixed[:1]).displacement
    torch.testing.assert_close(together[:1], alone, atol=1e-4, rtol=0)


def test_every_weight_of_an_untrained_net_gets_a_gradient_once_its_head_has_one() -> None:
    pair, net = small_pair(), trained_like().train()
    net(pair.moving, pair.fixed).displacement.square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_some_steps_learn_a_translation() -> None:
    fixed = smooth_images(1)
    shift = torch.zeros(1, 3, *SMALL)
    shift[:, 2] = 2.0
    moving = warp(fixed, -shift)
    net = build_velocity_net(SLIM).train()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    losses = []
    for _ in range(25):
        optimizer.zero_grad()
        warped = warp(moving, net(moving, fixed).displacement)
        loss = (warped - fixed)[..., 2:-3].square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": (4,)}, "one entry a level"),
        ({"encoder_convolutions": (1, 1, 1, 0)}, "at least one"),
        ({"features": -1}, "0 or more"),
    ],
)
def test_impossible_architectures_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VelocityArchitecture(**change)  # type: ignore[arg-type]


def test_sizes_that_do_not_pool_and_missing_features_are_refused() -> None:
    image = torch.rand(1, 1, 16, 16, 12)
    with pytest.raises(ValueError, match="multiple of 8"):
        build_velocity_net(SLIM)(image, image)
    with pytest.raises(ValueError, match="2 channels of features of 2 images, got None"):
        trained_like(2)(smooth_images(1), smooth_images(1))


def guided(features: int = 2) -> GuidedNet:
    return GuidedNet(ThresholdNet(), trained_like(features)).eval()


def test_guided_net_registers_by_what_its_segmenter_predicts() -> None:
    pair, net = small_pair(), guided()
    with torch.no_grad():
        found = net(pair.moving, pair.fixed)
        seen = net.guidance(pair.moving, pair.fixed)
        assert seen.shape == (4, 2, *SMALL)
        again = net(pair.moving, pair.fixed, seen)
        blind = net(pair.moving, pair.fixed, torch.zeros_like(seen))
        back = net(pair.fixed, pair.moving)
    assert torch.equal(found.displacement, again.displacement)
    assert (found.displacement - blind.displacement).abs().max() > 0.01
    torch.testing.assert_close(found.parameters[0], -back.parameters[0], atol=1e-5, rtol=0)


def test_training_a_guided_net_leaves_its_segmenter_as_it_was() -> None:
    pair, net = small_pair(), guided().train()
    assert net.velocity.training
    assert not net.segmenter.training
    net(pair.moving, pair.fixed).displacement.square().sum().backward()
    assert all(parameter.grad is None for parameter in net.segmenter.parameters())
    assert not any(parameter.requires_grad for parameter in net.segmenter.parameters())


def test_training_is_spared_the_second_placement() -> None:
    net = GuidedNet(
        build_net(SegmentationArchitecture(widths=(4, 4), blocks=(0, 0))),
        trained_like(2),
        shifted=True,
    )
    pair = small_pair()
    images = torch.cat([pair.moving, pair.fixed])
    with torch.no_grad():
        for training in (True, False):
            net.train(training)
            wanted = net.segmenter.probabilities(images, shifted=not training)
            torch.testing.assert_close(net.guidance(pair.moving, pair.fixed), wanted)


@pytest.mark.usefixtures("thresholds")
def test_guided_net_is_one_checkpoint(tmp_path: Path) -> None:
    shape = GuidedArchitecture(
        segmenter=Thresholds(),
        velocity=VelocityArchitecture(
            channels=(4, 4), encoder_convolutions=(1, 1), decoder_convolutions=(1, 1), features=2
        ),
        flips=(0, 2),
    )
    net = build_net(shape, seed=2)
    assert isinstance(net, GuidedNet)
    nn.init.constant_(net.segmenter.at, 0.25)
    nn.init.normal_(net.velocity.heads[0].weight, std=0.05, generator=generator(1))
    save_checkpoint(tmp_path / "net.pt", Checkpoint(shape, net.state_dict()))
    again = load_net(tmp_path / "net.pt").eval()
    assert isinstance(again, GuidedNet)
    assert again.flips == (0, 2)
    pair = small_pair()
    with torch.no_grad():
        found, wanted = (one(pair.moving, pair.fixed) for one in (again, net.eval()))
    assert wanted.displacement.abs().max() > 0
    assert torch.equal(found.displacement, wanted.displacement)


def test_what_segments_nothing_guides_nothing() -> None:
    with pytest.raises(ValueError, match="Linear segments nothing"):
        GuidedNet(nn.Linear(1, 1), trained_like(2))
