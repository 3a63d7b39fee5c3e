"""Networks evaluated on pairs of cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hipreg.data import CasePair
from hipreg.data.batches import CaseBank
from hipreg.evaluation import PairJob, evaluate_pair, warp_label
from hipreg.evaluation.network import Inference, evaluate_network, extend, register_pairs
from hipreg.losses import Objective
from hipreg.models import RegistrationNet, build
from hipreg.spatial import warp
from tests.helpers import SMALL, TINY, box_label, smooth_images

PAIRS = [CasePair(fixed=1, moving=3), CasePair(2, 1), CasePair(3, 2)]
INFERENCE = Inference(size=SMALL, batch_size=2)


def bank() -> CaseBank:
    labels = torch.cat([box_label(shift=shift) for shift in (0, 1, 2)])
    return CaseBank(cases=(1, 2, 3), images=smooth_images(3), labels=labels)


def moving_net() -> RegistrationNet:
    """A network that has learnt something, if only noise."""
    net = build(TINY)
    torch.manual_seed(0)
    torch.nn.init.normal_(net.decoder.head.weight, std=0.2)
    return net.eval()


def test_identity_net_measures_the_unregistered_pairs() -> None:
    cases = bank()
    found = evaluate_network(build(TINY).eval(), cases, PAIRS, INFERENCE, objective=Objective())
    labels = {case: cases.labels[i, 0].numpy() for i, case in enumerate(cases.cases)}
    expected = [
        row
        for pair in PAIRS
        for row in evaluate_pair(
            PairJob(
                fixed=pair.fixed,
                moving=pair.moving,
                fixed_label=labels[pair.fixed],
                moving_label=labels[pair.moving],
            ),
            (1, 2),
        )
    ]
    assert [(row.fixed, row.moving, row.dice) for row in found.rows] == [
        (row.fixed, row.moving, row.dice) for row in expected
    ]


def test_every_pair_is_measured_whatever_the_batch_size() -> None:
    net, cases = moving_net(), bank()
    by_two = evaluate_network(net, cases, PAIRS, INFERENCE, objective=Objective(lcc_window=5))
    by_one = evaluate_network(
        net, cases, PAIRS, replace(INFERENCE, batch_size=1), objective=Objective(lcc_window=5)
    )
    assert [row.dice for row in by_two.rows] == [row.dice for row in by_one.rows]
    for name, value in by_two.losses.items():
        assert by_one.losses[name] == pytest.approx(value, rel=1e-4), name


def test_net_and_evaluator_warp_labels_alike() -> None:
    cases = bank()
    for pair, displacement in register_pairs(moving_net(), cases, PAIRS, INFERENCE):
        label = cases.labels[cases.cases.index(pair.moving)][None]
        by_net = warp(label.float(), torch.from_numpy(displacement)[None], interpolation="nearest")
        by_evaluator = warp_label(label[0, 0].numpy(), displacement)
        np.testing.assert_array_equal(by_net[0, 0].numpy(), by_evaluator)
        assert np.abs(displacement).max() > 0.1


def test_cropped_inference_gives_displacements_of_the_full_grid() -> None:
    inference = replace(INFERENCE, size=(16, 8, 12))
    for _, displacement in register_pairs(moving_net(), bank(), PAIRS, inference):
        assert displacement.shape == (3, *SMALL)
        np.testing.assert_array_equal(displacement[:, :, 0], displacement[:, :, 4])
        np.testing.assert_array_equal(displacement[:, :, :, 0], displacement[:, :, :, 2])


def test_extension_keeps_the_middle_and_repeats_the_border() -> None:
    inner = torch.rand(1, 3, 4, 4, 4)
    outer = extend(inner, size=(8, 5, 4))
    assert torch.equal(outer[:, :, 2:6, 0:4], inner)
    assert torch.equal(outer[:, :, 0, 0:4], inner[:, :, 0])
    assert torch.equal(outer[:, :, 2:6, 4], inner[:, :, :, 3])
    with pytest.raises(ValueError, match="does not fit"):
        extend(inner, size=(4, 4, 3))
