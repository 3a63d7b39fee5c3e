"""Counted work, and time by kind of operator."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from hipreg.benchmark.convolutions import (
    OUTSIDE,
    convolution_share,
    cost_by_kind,
    kind_of,
    operator_costs,
)
from hipreg.benchmark.work import count_direct_work, count_work
from hipreg.losses import Objective
from tests.benchmark.helpers import SETTING


def test_matrix_product_counts_its_operations_and_bytes() -> None:
    a, b = torch.ones(4, 8), torch.ones(8, 16)
    work = count_work(lambda: a @ b)
    assert work.flops == 2 * 4 * 8 * 16
    assert work.bytes == 4 * (4 * 8 + 8 * 16 + 4 * 16)


def test_views_and_repeated_voxels_touch_no_memory() -> None:
    volume = torch.ones(1, 8)
    assert count_work(lambda: volume.view(8, 1).T).bytes == 0
    assert count_work(lambda: volume.expand(100, 8).exp()).bytes == 4 * (8 + 800)


def test_direct_work_is_that_of_its_convolutions() -> None:
    one_way = replace(SETTING, symmetric=False)
    without = count_direct_work(one_way, Objective({"mse": 1.0}))
    with_lcc = count_direct_work(one_way, Objective({"lcc": 1.0}))
    voxels = 2 * 16**3
    resolutions = 3
    # Five sums forward; backward, the three of them that depend on the warped image.
    least = (5 + 3) * resolutions * 2 * 9**3 * voxels
    assert with_lcc.flops - without.flops == pytest.approx(least, rel=0.01)
    both = count_direct_work(SETTING, Objective({"lcc": 1.0}))
    assert 1.5 < both.flops / with_lcc.flops < 2


def test_operators_are_told_apart() -> None:
    assert kind_of("aten::mkldnn_convolution") == "convolution"
    assert kind_of("aten::native_group_norm_backward") == "normalisation"
    assert kind_of("aten::grid_sampler_3d") == "sampling"
    assert kind_of("aten::bmm") == "matrix product"
    assert kind_of("aten::add_") == "element-wise and other"


def test_convolutions_of_a_convolution_are_nearly_everything() -> None:
    volume, kernel = torch.ones(1, 8, 16, 16, 16), torch.ones(8, 8, 5, 5, 5)
    costs = operator_costs(lambda: F.conv3d(volume, kernel), device=torch.device("cpu"))
    assert convolution_share(costs) > 0.5
    kinds = cost_by_kind(costs)
    assert sum(cost.share for cost in kinds) == pytest.approx(1, abs=0.02)
    assert OUTSIDE in {cost.kind for cost in kinds}
