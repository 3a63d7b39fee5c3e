"""The test-time options that commands share, and those that belong to a model."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace

import pytest

from experiments.prediction import add_refinement, refinement
from experiments.publish import whole_goal
from hipreg.models import Model, VelocityArchitecture, build_net, build_velocity_net
from hipreg.prediction.velocity import IMAGES
from tests.helpers import TINY


def flow() -> Model:
    """A model with a velocity and steps of its own."""
    shape = VelocityArchitecture(
        channels=(4,), encoder_convolutions=(1,), decoder_convolutions=(1,)
    )
    return Model(
        name="flow",
        net=build_velocity_net(shape),
        size=(16, 16, 16),
        dataset="synthetic_small",
        symmetric=True,
        lcc_window=9,
        card={},
        instance_steps=7,
        instance_goal={"diffusion": 2.0, "lcc": 3.0},
    )


def options(*words: str) -> argparse.Namespace:
    made = argparse.ArgumentParser(exit_on_error=False)
    add_refinement(made)
    return made.parse_args(words)


def test_goal_of_a_command_line_comes_before_that_of_the_model() -> None:
    wanted = refinement(options("--goal", "diffusion=4,both_directions=True"), flow())
    assert wanted.goal == {"diffusion": 4, "lcc": 3.0, "both_directions": True}
    assert wanted.steps == 7
    assert refinement(options("--steps", "2"), flow()).steps == 2


def test_goals_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="has no stiffness"):
        refinement(options("--goal", "stiffness=1"), flow())
    for word in ("dice", "dice=much", "dice=[1]", "dice=1,", "dice=1 lcc=1"):
        with pytest.raises(argparse.ArgumentError, match="expected KEY=VALUE"):
            options("--goal", word)
    with pytest.raises(ValueError, match="flow predicts none"):
        refinement(options("--goal", "dice=1"), replace(flow(), net=build_net(TINY)))


def test_published_goal_says_its_usual_values_too() -> None:
    assert whole_goal(flow()) == asdict(IMAGES) | {"diffusion": 2.0, "lcc": 3.0}
    assert whole_goal(replace(flow(), instance_steps=0)) == {}
    assert whole_goal(replace(flow(), net=build_net(TINY))) == {}
