"""Metrics of labels that a network found."""

from __future__ import annotations

from math import inf, isnan, nan

import numpy as np
import pytest
import torch

from hipreg.evaluation.network import Inference
from hipreg.evaluation.segmentation import (
    CaseMetrics,
    aggregate_cases,
    measure_case,
    segment_cases,
)
from hipreg.models import SegmentationArchitecture
from hipreg.models.segmentation import build_segmentation
from tests.helpers import box_label, smooth_images

TRUTH = box_label()[0, 0].numpy()


def test_true_labels_are_found_exactly() -> None:
    rows = measure_case(7, TRUTH, TRUTH, labels=(1, 2))
    assert rows == [CaseMetrics(7, 1, 1.0, 0.0), CaseMetrics(7, 2, 1.0, 0.0)]


def test_label_that_was_not_found_counts_and_one_that_is_not_there_does_not() -> None:
    missed, absent = measure_case(7, TRUTH, np.zeros_like(TRUTH), labels=(1, 3))
    assert (missed.dice, missed.hd95) == (0.0, inf)
    assert isnan(absent.dice)
    assert isnan(absent.hd95)


def test_figures_are_means_over_the_cases() -> None:
    rows = [
        CaseMetrics(1, 1, 0.8, 1.0),
        CaseMetrics(1, 2, 0.6, 3.0),
        CaseMetrics(2, 1, 0.9, 2.0),
        CaseMetrics(2, 2, nan, nan),
    ]
    figures = aggregate_cases(rows)
    assert figures["dice"] == pytest.approx((0.7 + 0.9) / 2)
    assert figures["hd95"] == pytest.approx(2.0)
    assert figures["dice30"] == pytest.approx(0.7 + 0.3 * 0.2)
    assert figures["dice/label_1"] == pytest.approx(0.85)
    assert figures["dice/label_2"] == pytest.approx(0.6)


def test_figures_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        aggregate_cases([])


def test_network_labels_the_crop_and_nothing_outside_it() -> None:
    net = build_segmentation(SegmentationArchitecture(widths=(8,), blocks=(0,))).eval()
    images = smooth_images(3, size=(20, 20, 20))
    inference = Inference(size=(16, 16, 16), batch_size=2)
    found = np.stack(list(segment_cases(net, images, inference)))
    assert found.shape == (3, 20, 20, 20)
    inner = images[:, :, 2:18, 2:18, 2:18]
    with torch.inference_mode():
        assert np.array_equal(found[:, 2:18, 2:18, 2:18], net.label_map(inner)[:, 0].numpy())
    found[:, 2:18, 2:18, 2:18] = 0
    assert not found.any()
