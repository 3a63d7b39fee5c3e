"""The whole way on real pairs: what synthetic volumes cannot show."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from hipreg.data import CasePair, Cohort, load_cohort, pairs_for, tight_size
from hipreg.data.augment import central_crop
from hipreg.data.batches import CaseBank
from hipreg.evaluation import aggregate
from hipreg.evaluation.network import Inference, evaluate_network
from hipreg.losses import Objective
from hipreg.models import Architecture, build
from hipreg.training import Recipe, TrainingState, train
from hipreg.types import Registration
from tests.helpers import Displacements

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def cohort(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return load_cohort(data_dir=real_data, cache_dir=tmp_path_factory.mktemp("cache"))


def test_unregistered_validation_pairs_have_the_known_figures(cohort: Cohort) -> None:
    pairs = pairs_for(cohort.description, "val")
    bank = CaseBank.of(cohort, sorted({case for pair in pairs for case in pair}))
    still = build(Architecture(channel_multiplication=0.25, pool_blocks=2)).eval()
    found = evaluate_network(
        still, bank, pairs, Inference(size=cohort.size), objective=Objective({"dice": 1.0})
    )
    figures = aggregate(found.rows)
    assert len(found.rows) == 60 * 2
    assert figures["dice"] == pytest.approx(0.568, abs=0.002)
    assert figures["dice30"] == pytest.approx(0.499, abs=0.002)
    assert figures["hd95"] == pytest.approx(3.68, abs=0.03)


def test_a_net_overfits_one_real_pair(cohort: Cohort) -> None:
    size = tight_size(cohort)
    bank = CaseBank.of(cohort, (1, 3))
    pairs = [CasePair(fixed=1, moving=3)]
    (whole,) = bank.named_pairs(pairs, batch_size=1)
    pair = central_crop(whole, size=size)
    net = build(
        Architecture(
            channel_multiplication=4, pool_blocks=3, deep_supervision=False, input_stride=2
        )
    )
    objective = Objective({"dice": 1.0, "diffusion": 0.01})
    state = TrainingState(net, torch.optim.Adam(net.parameters()))
    train(
        state,
        objective,
        lambda epoch: [pair],
        Recipe(epochs=110, learning_rate=3e-3, schedule="one_cycle"),
        steps_per_epoch=1,
    )
    found = evaluate_network(net.eval(), bank, pairs, Inference(size=size), objective=objective)
    assert aggregate(found.rows)["dice"] > 0.9


def test_tight_crop_changes_no_similarity_or_overlap_of_a_displacement(cohort: Cohort) -> None:
    bank = CaseBank.of(cohort, (1, 3))
    (whole,) = bank.named_pairs([CasePair(fixed=1, moving=3)], batch_size=1)
    size = tight_size(cohort)
    crop = tuple(slice((64 - side) // 2, (64 + side) // 2) for side in size)
    coarse = torch.randn(1, 3, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    field = F.interpolate(coarse, size=whole.fixed.shape[2:], mode="trilinear")
    objective = Objective({"lcc": 1.0, "mse": 1.0, "dice": 1.0})
    full = objective(Registration((field,), Displacements()), whole)
    inner = Registration((field[(..., *crop)].contiguous(),), Displacements())
    tight = objective(inner, central_crop(whole, size=size))
    for name, value in full.terms.items():
        torch.testing.assert_close(tight.terms[name], value, rtol=1e-5, atol=1e-6, msg=name)
