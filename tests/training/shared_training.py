"""A small training that one process or several do, and its outcome in a file.

Run by test_distributed.py: ``python -m torch.distributed.run -m tests.training.shared_training``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from hipreg.data.augment import Augmentation
from hipreg.data.batches import CaseBank, training_plans
from hipreg.losses import Objective
from hipreg.models import build
from hipreg.training import Hook, Recipe, Team, TrainingState, distributed, train
from hipreg.types import Pair
from tests.helpers import SMALL, TINY, box_label, smooth_images

CASES = 7
BATCH = 3
"""Batches of 3, 3 and 1: for two processes uneven, and the last smaller than their number."""

EPOCHS = 2
STEPS = 3
SCENARIOS = {
    f"{name}, {'symmetric' if symmetric else 'one direction'}": (name, symmetric)
    for name in ("sgd", "adam")
    for symmetric in (False, True)
}


class Keep(Hook):
    """Keeps every log."""

    def __init__(self) -> None:
        self.logs: list[dict[str, float]] = []

    def on_epoch_end(self, state: TrainingState, log: dict[str, float]) -> None:
        self.logs.append({name: value for name, value in log.items() if "loss" in name})


def bank() -> CaseBank:
    labels = torch.cat([box_label(shift=i % 4) for i in range(CASES)])
    return CaseBank(cases=tuple(range(CASES)), images=smooth_images(CASES), labels=labels)


def outcome(team: Team, optimizer: str, *, symmetric: bool) -> dict[str, Any]:
    """Weights before and after a training, and its logs."""
    cases = bank()
    # A bias before a norm has no gradient but rounding, which Adam scales up to a full step.
    shape = TINY if optimizer == "sgd" else replace(TINY, norm="none")
    rate = 1e-3 if optimizer == "sgd" else 1e-4
    net = build(shape, seed=team.rank)  # another in each process, until rank 0 shares its own
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    state = TrainingState(net, kind(net.parameters(), lr=rate))

    def batches(epoch: int) -> Iterator[Pair]:
        plans = training_plans(
            cases,
            batch_size=BATCH,
            size=SMALL,
            augmentation=Augmentation(max_translation=1),
            seed=0,
            epoch=epoch,
        )
        return (plan.part(team.share(len(plan))).make(cases) for plan in plans)

    distributed.share_weights(net)
    keep = Keep()
    recipe = Recipe(epochs=EPOCHS, learning_rate=rate, symmetric=symmetric)
    train(state, Objective(lcc_window=5), batches, recipe, steps_per_epoch=STEPS, hooks=[keep])
    return {
        "weights": net.state_dict(),
        "logs": keep.logs,
        "start": build(shape, seed=0).state_dict(),
    }


def outcomes(team: Team) -> dict[str, dict[str, Any]]:
    """Of all scenarios."""
    return {
        scenario: outcome(team, optimizer, symmetric=symmetric)
        for scenario, (optimizer, symmetric) in SCENARIOS.items()
    }


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    team = Team.launched(os.environ)
    distributed.connect(team)
    torch.save(outcomes(team), folder / f"rank{team.rank}.pt")
    distributed.disconnect()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
