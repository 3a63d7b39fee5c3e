from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from math import inf, isnan

import numpy as np
import pytest
import torch

from hipreg.evaluation import NO_LABEL, PairJob, aggregate, evaluate_pair, evaluate_pairs
from tests.evaluation import reference

SIZE = (9, 10, 8)


def job(seed: int) -> PairJob:
    labels = [
        (reference.blob(seed + k, SIZE) * (1 + reference.blob(seed + k + 7, SIZE))).astype(
            np.uint8
        )
        for k in (0, 1)
    ]
    displacement = reference.random_displacement(seed, SIZE, 1.5)
    return PairJob(seed, 100 + seed, labels[0], labels[1], displacement)


def test_rows_hold_the_direct_metrics_of_each_label() -> None:
    for seed in range(3):
        pair = job(seed)
        assert pair.displacement is not None
        warped = reference.warp_label(pair.moving_label, pair.displacement)
        rows = evaluate_pair(pair, (1, 2))
        assert [(row.fixed, row.moving, row.label) for row in rows] == [
            (seed, 100 + seed, 1),
            (seed, 100 + seed, 2),
        ]
        for row in rows:
            masks = pair.fixed_label == row.label, warped == row.label
            assert row.dice == pytest.approx(reference.dice(*masks), abs=1e-6)
            assert row.hd95 == pytest.approx(reference.hd95(*masks), abs=1e-6)
            today = reference.sdlogj(pair.displacement, 3, 1e-9, 1e9)
            assert row.sdlogj == pytest.approx(today, abs=1e-6)
            then = reference.sdlogj(pair.displacement, 15, 0, 1e9)
            assert row.sdlogj_2020 == pytest.approx(then, abs=1e-6)
            inner = reference.jacobian_determinant(pair.displacement)[2:-2, 2:-2, 2:-2]
            assert row.folding == pytest.approx(float((inner <= 0).mean()), abs=1e-6)


def test_no_displacement_is_the_zero_displacement() -> None:
    pair = job(4)
    zero = replace(pair, displacement=np.zeros((3, *SIZE), dtype=np.float32))
    for bare, moved in zip(
        evaluate_pair(replace(pair, displacement=None), (1, 2)),
        evaluate_pair(zero, (1, 2)),
        strict=True,
    ):
        assert (bare.dice, bare.hd95, bare.folding) == (moved.dice, moved.hd95, moved.folding)
        assert bare.sdlogj == pytest.approx(moved.sdlogj, abs=1e-12)
        assert bare.sdlogj_2020 == pytest.approx(moved.sdlogj_2020, abs=1e-12)


def test_label_absent_from_fixed_or_moving_is_nan() -> None:
    pair = job(1)
    pair.fixed_label[pair.fixed_label == 1] = 0
    pair.moving_label[pair.moving_label == 2] = 0
    for row in evaluate_pair(pair, (1, 2, 3)):
        assert isnan(row.dice)
        assert isnan(row.hd95)
        assert not isnan(row.sdlogj)


def test_label_pushed_off_the_grid_has_dice_0_and_hd95_inf() -> None:
    pair = replace(job(2), displacement=np.full((3, *SIZE), 50, dtype=np.float32))
    for row in evaluate_pair(pair, (1, 2)):
        assert row.dice == 0
        assert row.hd95 == inf


@pytest.mark.parametrize("workers", [None, 1, 2, 5])
def test_rows_come_in_the_order_of_the_jobs_whatever_the_workers(workers: int | None) -> None:
    jobs = [job(seed) for seed in range(12)]
    expected = [row for pair in jobs for row in evaluate_pair(pair, (2, 1))]
    assert evaluate_pairs(jobs, (2, 1), workers=workers) == expected


def test_no_jobs_give_no_rows() -> None:
    assert evaluate_pairs([], (1,)) == []


def test_jobs_are_drawn_as_they_are_needed_and_in_the_callers_thread() -> None:
    drawn_in = set()
    held: list[int] = []

    def jobs() -> Iterator[PairJob]:
        for seed in range(20):
            drawn_in.add(threading.get_ident())
            held.append(seed)
            yield job(seed)

    with pytest.raises(ValueError, match="pair fixed 0"):
        evaluate_pairs(
            (replace(j, fixed_label=j.fixed_label[1:]) for j in jobs()), (1,), workers=2
        )
    assert drawn_in == {threading.get_ident()}
    assert len(held) < 10


def test_evaluation_works_beside_torch_threads() -> None:
    size = 200
    torch.set_num_threads(2)
    torch.rand(size, size) @ torch.rand(size, size)
    rows = evaluate_pairs([job(0), job(1), job(2)], (1, 2), workers=2)
    torch.rand(size, size) @ torch.rand(size, size)
    assert len(rows) == 6


def test_faulty_pairs_are_named() -> None:
    pair = job(3)
    broken = np.full((3, *SIZE), np.nan, dtype=np.float32)
    for fault, message in (
        ({"displacement": broken}, "pair fixed 3, moving 103: a displacement is finite"),
        ({"fixed_label": pair.fixed_label[:-1]}, "one shape, got fixed"),
        ({"moving_label": pair.moving_label.astype(float)}, "float64"),
        ({"moving_label": pair.moving_label[0]}, r"\(10, 8\) of the moving case"),
        ({"displacement": np.zeros((3, 5, 5, 5))}, "needs a displacement"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate_pairs([replace(pair, **fault)], (1, 2))


def test_labels_and_workers_must_make_sense() -> None:
    for labels in ((0, 1), (1, 1)):
        with pytest.raises(ValueError, match="positive and distinct"):
            evaluate_pairs([job(0)], labels)
    with pytest.raises(ValueError, match="at least one worker, got 0"):
        evaluate_pairs([job(0)], (1,), workers=0)


def test_a_pair_without_labels_has_its_smoothness_alone() -> None:
    pair = job(3)
    (row,) = evaluate_pair(pair, ())
    labelled = evaluate_pair(pair, (1,))[0]
    assert row.label == NO_LABEL
    assert isnan(row.dice)
    assert isnan(row.hd95)
    assert (row.sdlogj, row.folding) == (labelled.sdlogj, labelled.folding)
    figures = aggregate([row])
    assert figures["sdlogj"] == row.sdlogj
    assert not any(name.startswith(("dice", "hd95")) for name in figures)
