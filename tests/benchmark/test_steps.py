"""The measured steps are steps of training."""

from __future__ import annotations

from itertools import repeat

import torch

from hipreg.benchmark.steps import PHASES, DirectStep, FastStep, prepare_optimizer
from hipreg.losses import Objective
from tests.benchmark.helpers import SETTING, synthetic_bank, synthetic_batch

OBJECTIVE = Objective()


def fast_step() -> FastStep:
    return FastStep(SETTING, synthetic_bank(), OBJECTIVE, batches=repeat(synthetic_batch()))


def test_split_step_trains_like_the_whole_one() -> None:
    whole, split = fast_step(), fast_step()
    for _ in range(2):
        first, second = whole(), split.split(lambda name: None)
        assert torch.equal(first.total, second.total)
    for one, other in zip(whole.net.parameters(), split.net.parameters(), strict=True):
        assert torch.equal(one, other)


def test_both_steps_mark_every_phase_once_and_in_order() -> None:
    for kind in (FastStep, DirectStep):
        marks: list[str] = []
        kind(SETTING, synthetic_bank(), OBJECTIVE).split(marks.append)
        assert tuple(marks) == PHASES


def test_batches_are_full_even_of_fewer_cases_than_pairs() -> None:
    bank = synthetic_bank(pairs=1)
    step = FastStep(SETTING, bank, OBJECTIVE)
    assert [len(next(step.batches).fixed) for _ in range(3)] == [2, 2, 2]


def test_preparing_the_optimiser_changes_no_weight() -> None:
    step = fast_step()
    before = [parameter.detach().clone() for parameter in step.net.parameters()]
    prepare_optimizer(step.optimizer)
    for old, new in zip(before, step.net.parameters(), strict=True):
        assert torch.equal(old, new)
    assert len(step.optimizer.state) == len(before)
