"""Test-time options on batches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from hipreg.losses import lcc_loss
from hipreg.losses.similarity import covered
from hipreg.prediction import Refinement, predict
from hipreg.prediction.field import MARGIN, faded
from hipreg.prediction.instance import optimise
from hipreg.spatial import compose, warp
from tests.helpers import SMALL, random_displacement, smooth_images
from tests.prediction.helpers import moving_net


def pair() -> tuple[Tensor, Tensor]:
    return smooth_images(1, seed=1), smooth_images(1, seed=2)


def test_plain_prediction_is_the_networks() -> None:
    net, (moving, fixed) = moving_net(), pair()
    with torch.no_grad():
        wanted = net(moving, fixed).displacement
    assert wanted.abs().max() > 0.5
    torch.testing.assert_close(predict(net, moving, fixed), wanted)


@pytest.mark.parametrize(
    "refinement",
    [{}, {"both_directions": True}, {"flips": (0, 2)}, {"steps": 5}],
)
def test_equal_images_are_left_as_they_are_beside_others(refinement: dict[str, Any]) -> None:
    net, (image, other) = moving_net(), pair()
    torch.nn.init.constant_(net.decoder.head.bias, 0.1)
    with torch.no_grad():
        assert net(image, image).displacement.abs().max() > 0.1
    wanted = Refinement(**refinement)
    found = predict(net, torch.cat([image, image]), torch.cat([image, other]), wanted)
    assert not found[0].any()
    assert found[1].abs().max() > 0.1


def test_optimising_equal_images_hardly_moves_them() -> None:
    image, _ = pair()
    start = torch.zeros(1, 3, *SMALL)
    assert optimise(start, image, image, steps=20, lcc_window=5).abs().max() < 0.1


def test_mirrored_average_mirrors_with_its_images() -> None:
    net, (moving, fixed) = moving_net(), pair()
    wanted = Refinement(flips=(0, 1, 2))
    found = predict(net, moving, fixed, wanted)
    mirrored = predict(net, moving.flip(3), fixed.flip(3), wanted).flip(3)
    mirrored[:, 1] *= -1
    torch.testing.assert_close(found, mirrored, atol=1e-4, rtol=0)
    assert (found - predict(net, moving, fixed)).abs().max() > 0.01


def test_both_directions_bring_registration_and_its_opposite_together() -> None:
    net, (moving, fixed) = moving_net(), pair()

    def inconsistency(wanted: Refinement) -> float:
        there, back = predict(net, moving, fixed, wanted), predict(net, fixed, moving, wanted)
        return float(compose(there, back)[..., 4:-4, 4:-4, 4:-4].abs().mean())

    both = Refinement(both_directions=True)
    assert inconsistency(both) < 0.25 * inconsistency(Refinement())


def test_instance_optimisation_lowers_the_pairs_own_image_loss() -> None:
    moving, fixed = pair()
    start = torch.zeros(1, 3, *SMALL)

    def image_loss(displacement: Tensor) -> float:
        warped = warp(moving, displacement)[None]
        return float(lcc_loss(warped, fixed, mask=covered(warped, fixed), window=5).mean())

    found = optimise(start, moving, fixed, steps=15, smoothness=0.5, lcc_window=5)
    assert image_loss(found) < 0.9 * image_loss(start)
    stiff = optimise(start, moving, fixed, steps=15, smoothness=1e4, lcc_window=5)
    assert stiff.diff(dim=2).abs().mean() < 0.3 * found.diff(dim=2).abs().mean()


def test_pairs_of_a_batch_are_optimised_each_for_itself() -> None:
    (moving, fixed), start = pair(), torch.zeros(1, 3, *SMALL)
    alone = optimise(start, moving, fixed, steps=3, lcc_window=5)
    both = [torch.cat(two) for two in ((moving, fixed), (fixed, moving))]
    together = optimise(start.repeat(2, 1, 1, 1, 1), *both, steps=3, lcc_window=5)
    torch.testing.assert_close(together[:1], alone, atol=1e-3, rtol=0)


def test_impossible_options_are_refused() -> None:
    for wrong in ({"flips": (3,)}, {"flips": (1, 1)}, {"steps": -1}, {"learning_rate": 0.0}):
        with pytest.raises(ValueError, match="got"):
            Refinement(**wrong)  # type: ignore[arg-type]


def test_displacement_fades_to_nothing_beyond_its_grid() -> None:
    inside = random_displacement(1) + 2
    wide = faded(inside)
    core = slice(MARGIN, -MARGIN)
    torch.testing.assert_close(wide[..., core, core, core], inside)
    for axis in (2, 3, 4):
        assert not wide.select(axis, 0).any()
        assert not wide.select(axis, -1).any()
    line = wide[0, 0, :MARGIN, MARGIN, MARGIN]
    assert bool((line.diff() >= 0).all())
