"""Every metric of many pairs, worked out on all cores."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from math import nan

import numpy as np

from hipreg.evaluation.metrics import DisplacementField, LabelVolume, dice, warp_label
from hipreg.evaluation.rows import NO_LABEL, LabelMetrics
from hipreg.evaluation.smoothness import Smoothness, smoothness
from hipreg.evaluation.surface import hd95

_UNDEFORMED = Smoothness(sdlogj=0.0, sdlogj_2020=0.0, folding=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class PairJob:
    """One registered pair to evaluate.

    Attributes:
        fixed: Case number of the fixed image.
        moving: Case number of the moving image.
        fixed_label: (D, H, W) hard labels of the fixed case.
        moving_label: (D, H, W) hard labels of the moving case.
        displacement: (3, D, H, W) in voxels, on the fixed grid, pull-back; None for the identity,
            that is the pair as it was before registration.
    """

    fixed: int
    moving: int
    fixed_label: LabelVolume
    moving_label: LabelVolume
    displacement: DisplacementField | None = None


def evaluate_pair(job: PairJob, labels: Sequence[int]) -> list[LabelMetrics]:
    """Warp the moving label and measure it against the fixed one.

    Args:
        job: The pair, its labels and displacement.
        labels: Which labels to measure; positive and distinct.

    Returns:
        One row per label, in the order of ``labels``; one of smoothness alone without labels.

    Raises:
        ValueError: If shapes, types or labels are not as stated; names the pair.
    """
    _check_labels(labels)
    try:
        return _evaluate(job, labels)
    except ValueError as error:
        raise ValueError(f"pair fixed {job.fixed}, moving {job.moving}: {error}") from error


def evaluate_pairs(
    jobs: Iterable[PairJob], labels: Sequence[int], *, workers: int | None = None
) -> list[LabelMetrics]:
    """Evaluate many pairs on several cores.

    Threads do the work: NumPy and SciPy let go of the interpreter for nearly all of it, volumes
    need not be copied, and unlike a forked process a thread can start beside a running PyTorch.
    Jobs are drawn from the iterable as threads come free, in this thread: a generator that
    predicts displacements overlaps with the evaluation, and few of them are in memory at once.

    Args:
        jobs: The pairs.
        labels: Which labels to measure; positive and distinct.
        workers: Threads; by default as many as this process has cores.

    Returns:
        One row per pair and label, in the order of the jobs and labels.

    Raises:
        ValueError: As :func:`evaluate_pair`, or if ``workers`` is not positive.
    """
    _check_labels(labels)
    workers = _cores() if workers is None else workers
    if workers < 1:
        raise ValueError(f"evaluation needs at least one worker, got {workers}")
    return [row for rows in _in_order(jobs, labels, workers) for row in rows]


def _in_order(
    jobs: Iterable[PairJob], labels: Sequence[int], workers: int
) -> Iterator[list[LabelMetrics]]:
    if workers == 1:
        for job in jobs:
            yield evaluate_pair(job, labels)
        return
    waiting: deque[Future[list[LabelMetrics]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="evaluate")
    try:
        for job in jobs:
            waiting.append(pool.submit(evaluate_pair, job, labels))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _evaluate(job: PairJob, labels: Sequence[int]) -> list[LabelMetrics]:
    _check_volumes(job)
    if job.displacement is None:
        warped_label, even = job.moving_label, _UNDEFORMED
    else:
        warped_label = warp_label(job.moving_label, job.displacement)
        even = smoothness(job.displacement)
    return [
        LabelMetrics(
            fixed=job.fixed,
            moving=job.moving,
            label=label,
            dice=overlap,
            hd95=distance,
            sdlogj=even.sdlogj,
            sdlogj_2020=even.sdlogj_2020,
            folding=even.folding,
        )
        for label in labels or (NO_LABEL,)
        for overlap, distance in [_measure_label(job, warped_label, label)]
    ]


def _measure_label(job: PairJob, warped_label: LabelVolume, label: int) -> tuple[float, float]:
    """Dice and HD95 of one label; nan where the pair does not have it on both sides."""
    if label == NO_LABEL:
        return nan, nan
    fixed = job.fixed_label == label
    if not fixed.any() or not (job.moving_label == label).any():
        return nan, nan
    warped = warped_label == label
    return dice(fixed, warped), hd95(fixed, warped)


def _check_volumes(job: PairJob) -> None:
    for name, volume in (("fixed", job.fixed_label), ("moving", job.moving_label)):
        if volume.ndim != 3 or not np.issubdtype(volume.dtype, np.integer):
            raise ValueError(
                f"a label map holds integers (D, H, W), got {volume.dtype} {volume.shape} of the "
                f"{name} case"
            )
    if job.fixed_label.shape != job.moving_label.shape:
        raise ValueError(
            f"both label maps of a pair have one shape, got fixed {job.fixed_label.shape} and "
            f"moving {job.moving_label.shape}"
        )


def _check_labels(labels: Sequence[int]) -> None:
    if min(labels, default=1) < 1 or len(set(labels)) != len(labels):
        raise ValueError(f"labels to measure are positive and distinct, got {list(labels)}")


def _cores() -> int:
    # Python 3.13 has os.process_cpu_count; the affinity is what a batch system grants.
    return (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
