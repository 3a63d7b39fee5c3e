"""The test-time options that commands share."""

from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from experiments.prediction import add_refinement, refinement
from hipreg.models import Model, VelocityArchitecture, build_net, build_velocity_net
from tests.helpers import TINY


def test_goals_of_a_command_line_are_read_or_refused() -> None:
    made = argparse.ArgumentParser(exit_on_error=False)
    add_refinement(made)
    velocity = Model(
        name="flow",
        net=build_velocity_net(
            VelocityArchitecture(
                channels=(4,), encoder_convolutions=(1,), decoder_convolutions=(1,)
            )
        ),
        size=(16, 16, 16),
        dataset="synthetic_small",
        symmetric=True,
        lcc_window=9,
        card={},
        instance_steps=7,
        instance_goal={"dice": 2.0, "lcc": 1.0},
    )
    options = made.parse_args(["--goal", "dice=4", "both_directions=True"])
    wanted = refinement(options, velocity)
    assert wanted.goal == {"dice": 4, "lcc": 1.0, "both_directions": True}
    assert wanted.steps == 7
    with pytest.raises(ValueError, match="has no stiffness"):
        refinement(made.parse_args(["--goal", "stiffness=1"]), velocity)
    for word in ("dice", "dice=much", "dice=[1]"):
        with pytest.raises(argparse.ArgumentError, match="expected KEY=VALUE"):
            made.parse_args(["--goal", word])
    with pytest.raises(ValueError, match="flow predicts none"):
        refinement(options, replace(velocity, net=build_net(TINY)))
