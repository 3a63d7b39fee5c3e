"""No registration sees the true labels of the pair that it registers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from experiments.prediction import predictions
from hipreg.data import CasePair, Cohort, load_cohort
from hipreg.data.batches import CaseBank
from hipreg.evaluation.network import Inference, register_pairs
from hipreg.models import Model, PairNet
from hipreg.prediction import Refinement
from hipreg.prediction.refined import Refined
from tests.prediction.helpers import moving_net
from tests.prediction.test_velocity import net as guided_net

WAYS: dict[str, tuple[Callable[[], PairNet], Refinement]] = {
    "network": (moving_net, Refinement()),
    "network, both directions and optimised": (
        moving_net,
        Refinement(both_directions=True, steps=2),
    ),
    "guided": (guided_net, Refinement()),
    "guided and optimised": (guided_net, Refinement(steps=4)),
}
SIDE = (32, 32, 32)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return load_cohort("synthetic_small")


@pytest.fixture(scope="module")
def shuffled(cohort: Cohort) -> Cohort:
    """The same images with labels of other cases, upside down."""
    return replace(cohort, labels=np.roll(cohort.labels, 3, axis=0)[:, ::-1])


@pytest.mark.parametrize("way", WAYS)
def test_other_labels_change_no_bit_of_a_displacement(
    way: str, cohort: Cohort, shuffled: Cohort
) -> None:
    make, wanted = WAYS[way]
    net = make()
    first, second, third = cohort.cases[:3]
    pairs = [CasePair(first, second), CasePair(second, third), CasePair(third, first)]
    model = Model("tried", net, SIDE, "synthetic_small", True, 5, {})
    device = torch.device("cpu")
    found, other = (
        [field for _, field in predictions(model, data, pairs, wanted, device)]
        for data in (cohort, shuffled)
    )
    assert all(np.abs(field).max() > 0.1 for field in found)
    np.testing.assert_array_equal(found, other)
    seen = Inference(size=SIDE, batch_size=2, precision="float32")
    refined = Refined(net, wanted, lcc_window=5)
    measured, otherwise = (
        [
            field
            for _, field in register_pairs(refined, CaseBank.of(data, data.cases[:3]), pairs, seen)
        ]
        for data in (cohort, shuffled)
    )
    np.testing.assert_array_equal(measured, otherwise)
