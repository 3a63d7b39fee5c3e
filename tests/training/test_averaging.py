"""Averages of weights."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from hipreg.losses import one_hot
from hipreg.models import SegmentationArchitecture
from hipreg.models.segmentation import build_segmentation
from hipreg.training import Recipe, TrainingState, WeightAverage, segmentation_step, train_by
from hipreg.types import Labelled
from tests.helpers import box_label, smooth_images


def one_weight(value: float) -> nn.Linear:
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, value)
    return net


def test_average_is_the_one_worked_out_by_hand() -> None:
    net = one_weight(0.0)
    average = WeightAverage(net, decay=0.15)
    for value in (1.0, 2.0):
        nn.init.constant_(net.weight, value)
        average.update()
    # The past weighs 1/10 in the first update and, limited by the decay, 0.15 in the second.
    assert average.values[0].item() == pytest.approx(0.15 * 0.9 + 0.85 * 2)


def fail_while_in_use(average: WeightAverage) -> None:
    with average.in_use():
        values = [parameter.item() for parameter in average.net.parameters()]
        raise RuntimeError(f"used {values}")


def test_trained_weights_are_back_after_use_even_after_an_error() -> None:
    net = one_weight(1.0)
    average = WeightAverage(net, decay=0.5)
    nn.init.constant_(net.weight, 3.0)
    with pytest.raises(RuntimeError, match=r"used \[1.0\]"):
        fail_while_in_use(average)
    assert net.weight.item() == 3.0


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_weight_of_the_past_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="weight of the past"):
        WeightAverage(one_weight(0.0), decay=decay)


def state_of_epoch(start: TrainingState | None, epochs: int) -> TrainingState:
    """Train for some epochs, from the start or from where another training was."""
    net = build_segmentation(SegmentationArchitecture(widths=(8,), blocks=(0,)))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    state = TrainingState(net, optimizer, average=WeightAverage(net, decay=0.9))
    if start is not None:
        kept = copy.deepcopy(start.state_dict())
        with start.as_used():  # as checkpoints have them
            state.net.load_state_dict(start.net.state_dict())
        state.load_state_dict(kept)

    def batches(epoch: int) -> Iterator[Labelled]:
        targets = one_hot(box_label(), (1, 2))
        return (Labelled(smooth_images(1, seed=3 * epoch + k), targets) for k in range(2))

    train_by(
        lambda batch: segmentation_step(
            state.net, batch, optimizer, weights={"dice": 1.0}, precision="float32"
        ),
        state,
        batches,
        Recipe(epochs=epochs, learning_rate=1e-2),
        steps_per_epoch=2,
    )
    return state


def test_resumed_training_has_the_weights_and_the_average_of_the_uninterrupted_one() -> None:
    whole = state_of_epoch(None, 3)
    resumed = state_of_epoch(state_of_epoch(None, 1), 3)
    assert whole.average is not None
    assert resumed.average is not None
    for one, other in zip(whole.average.values, resumed.average.values, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(whole.net.parameters(), resumed.net.parameters(), strict=True):
        assert torch.equal(one, other)
    assert any(
        not torch.equal(trained, mean)
        for trained, mean in zip(whole.net.parameters(), whole.average.values, strict=True)
    )
