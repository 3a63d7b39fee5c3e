"""Instance optimisation of velocities."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn

from hipreg.data import CasePair
from hipreg.data.batches import CaseBank
from hipreg.evaluation.network import Inference, register_pairs
from hipreg.evaluation.smoothness import jacobian_determinant
from hipreg.losses import expected_dice_loss, soft_dice_loss
from hipreg.models import GuidedNet, VelocityArchitecture, build_velocity_net
from hipreg.prediction import Refinement, predict
from hipreg.prediction.options import changed
from hipreg.prediction.refined import Refined
from hipreg.prediction.velocity import (
    IMAGES,
    LABELS,
    VelocityGoal,
    VelocityPairs,
    optimise_velocity,
)
from hipreg.spatial import VelocityIntegration, compose, warp
from tests.helpers import SMALL, generator, smooth_images

FULL = VelocityIntegration(SMALL)


class Threshold(nn.Module):
    """Segments by a soft threshold."""

    size_multiple = 1

    def probabilities(
        self, images: Tensor, *, flips: tuple[int, ...] = (), shifted: bool = False
    ) -> Tensor:
        return torch.sigmoid(20 * (images - 0.5))


@cache
def net() -> GuidedNet:
    shape = VelocityArchitecture(
        channels=(4, 4), encoder_convolutions=(1, 1), decoder_convolutions=(1, 1), features=1
    )
    made = GuidedNet(Threshold(), build_velocity_net(shape)).eval()
    for head in made.velocity.heads:
        nn.init.normal_(head.weight, std=0.03, generator=generator(3))
    return made


def images() -> tuple[Tensor, Tensor]:
    return smooth_images(2, seed=1), smooth_images(2, seed=2)


def pairs(moving: Tensor, fixed: Tensor) -> VelocityPairs:
    with torch.no_grad():
        return VelocityPairs.of(moving, fixed, net().guidance(moving, fixed), FULL)


def still(batch: int = 2) -> Tensor:
    return torch.zeros(batch, 3, 8, 8, 8)


def optimised(moving: Tensor, fixed: Tensor, *, steps: int = 8, **goal: float | bool) -> Tensor:
    wanted = changed(IMAGES, {"tolerance": 0.0} | goal)
    return optimise_velocity(
        still(len(moving)), pairs(moving, fixed), steps=steps, goal=wanted, lcc_window=5
    )


def volumes(fields: Tensor) -> Tensor:
    """The Jacobian determinants of displacements."""
    return torch.stack([torch.from_numpy(jacobian_determinant(f.numpy())) for f in fields])


def test_optimisation_brings_predicted_labels_together() -> None:
    moving, fixed = images()
    labels = net().guidance(moving, fixed).chunk(2)
    before = soft_dice_loss(*labels)
    field = FULL(optimised(moving, fixed, steps=15, lcc=0.0, diffusion=0.1))
    after = soft_dice_loss(warp(labels[0], field), labels[1])
    assert bool((after < 0.7 * before).all())


def test_exchanging_the_images_changes_the_sign_of_what_is_found() -> None:
    moving, fixed = images()
    there, back = optimised(moving, fixed), optimised(fixed, moving)
    assert there.abs().max() > 0.3
    torch.testing.assert_close(there, -back, atol=1e-3, rtol=0)


def test_a_pair_ends_when_its_loss_no_longer_falls_and_the_others_go_on() -> None:
    moving, fixed = images()
    moving[0] = fixed[0]
    found = optimised(moving, fixed, steps=30, tolerance=0.01)
    assert found[0].abs().max() < 0.05
    assert found[1].abs().max() > 0.3
    longer = optimised(moving, fixed, steps=60, tolerance=0.5)
    assert torch.equal(longer, optimised(moving, fixed, steps=90, tolerance=0.5))


def test_pairs_of_a_batch_are_optimised_each_for_itself() -> None:
    moving, fixed = images()
    alone = optimised(moving[1:], fixed[1:], tolerance=0.02, steps=20)
    together = optimised(moving, fixed, tolerance=0.02, steps=20)
    torch.testing.assert_close(together[1:], alone, atol=2e-3, rtol=0)


def test_a_stiffer_goal_gives_a_smoother_velocity() -> None:
    moving, fixed = images()
    soft, stiff = (optimised(moving, fixed, diffusion=d) for d in (0.1, 100.0))
    assert stiff.diff(dim=2).abs().mean() < 0.3 * soft.diff(dim=2).abs().mean()


def test_one_direction_alone_overlaps_more_than_both_together() -> None:
    moving, fixed = images()
    labels = net().guidance(moving, fixed).chunk(2)
    one, both = (
        expected_dice_loss(
            warp(
                labels[0],
                FULL(optimised(moving, fixed, steps=15, lcc=0.0, both_directions=together)),
            ),
            labels[1],
        )
        for together in (False, True)
    )
    assert bool((one < both).all())


def test_divergence_holds_the_changes_of_volume_down() -> None:
    moving, fixed = images()
    free, held = (
        volumes(FULL(optimised(moving, fixed, divergence=weight))) for weight in (0.0, 100.0)
    )
    assert held.std() < 0.7 * free.std()


def test_predicted_labels_alone_are_the_usual_goal_where_there_are_some() -> None:
    moving, fixed = images()
    with_labels = pairs(moving, fixed)
    without = VelocityPairs.of(moving, fixed, None, FULL)
    assert with_labels.usual_goal == LABELS
    assert without.usual_goal == IMAGES
    with pytest.raises(ValueError, match="no labels are predicted"):
        optimise_velocity(still(), without, steps=1, goal=LABELS)


def test_prediction_with_steps_in_both_directions_is_still_exactly_inverse_consistent() -> None:
    moving, fixed = images()
    wanted = Refinement(steps=5, goal={"both_directions": True})
    there = predict(net(), moving, fixed, wanted, lcc_window=5)
    back = predict(net(), fixed, moving, wanted, lcc_window=5)
    assert (there - predict(net(), moving, fixed)).abs().max() > 0.05
    rest = compose(there, back)[..., 4:-4, 4:-4, 4:-4]
    # What is left is interpolation, on a grid of 8^3.
    assert rest.abs().mean() < 0.15 * there.abs().mean()


def test_mirrored_mean_of_velocities_mirrors_with_its_images() -> None:
    moving, fixed = images()
    wanted = Refinement(flips=(0, 1, 2))
    found = predict(net(), moving, fixed, wanted)
    mirrored = predict(net(), moving.flip(3), fixed.flip(3), wanted).flip(3)
    mirrored[:, 1] *= -1
    torch.testing.assert_close(found, mirrored, atol=1e-4, rtol=0)


def test_labels_of_the_pairs_never_change_what_is_predicted() -> None:
    moving, fixed = images()
    labels = torch.randint(0, 3, (4, 1, *SMALL), dtype=torch.uint8, generator=generator(1))
    volumes = torch.cat([moving, fixed])
    asked = [CasePair(fixed=3, moving=1), CasePair(fixed=4, moving=2)]
    refined = Refined(net(), Refinement(steps=3), lcc_window=5)
    found = [
        [
            field
            for _, field in register_pairs(
                refined, CaseBank((1, 2, 3, 4), volumes, some), asked, Inference(size=SMALL)
            )
        ]
        for some in (labels, labels.flip(0), torch.zeros_like(labels))
    ]
    for one, *others in zip(*found, strict=True):
        assert abs(one).max() > 0.05
        assert all((one == other).all() for other in others)


def test_impossible_goals_are_refused() -> None:
    for unusual in ({"diffusion": -1.0}, {"stiffness": 1.0}):
        with pytest.raises(ValueError, match=r"got|has no stiffness; it has lcc, dice"):
            Refinement(goal=unusual)
    for wrong in ({"diffusion": -1.0}, {"learning_rate": 0.0}, {"lcc": 0.0, "dice": 0.0}):
        with pytest.raises(ValueError, match="got"):
            VelocityGoal(**wrong)
