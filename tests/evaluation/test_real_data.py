from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from hipreg.evaluation import PairJob, aggregate, evaluate_pairs

SIZE = 64


def centrally_padded(volume: np.ndarray) -> np.ndarray:
    around = [((SIZE - n) // 2, SIZE - n - (SIZE - n) // 2) for n in volume.shape]
    return np.pad(volume, around)


@pytest.fixture(scope="module")
def validation_labels(real_data: Path) -> dict[int, np.ndarray]:
    """Label maps of the cases above 310 by case number, read with nothing of hipreg."""
    paths = {
        int(path.name.split("_")[1].split(".")[0]): path
        for path in real_data.rglob("labelsTr/hippocampus_*.nii.gz")
    }
    return {
        case: centrally_padded(np.asarray(nibabel.load(paths[case]).dataobj).astype(np.uint8))
        for case in sorted(paths)
        if case > 310
    }


@pytest.mark.real_data
def test_unregistered_validation_pairs_have_the_known_figures(
    validation_labels: dict[int, np.ndarray],
) -> None:
    cases = list(validation_labels)
    assert len(cases) == 60
    jobs = [
        PairJob(fixed, moving, validation_labels[fixed], validation_labels[moving])
        for fixed, moving in zip(cases, reversed(cases), strict=True)
    ]
    rows = evaluate_pairs(jobs, (1, 2))
    assert len(rows) == 120
    figures = aggregate(rows)
    assert figures["dice"] == pytest.approx(0.568, abs=0.002)
    assert figures["hd95"] == pytest.approx(3.68, abs=0.03)
    # Over the 60 pair means; over all 120 values it would be 0.505.
    assert figures["dice30"] == pytest.approx(0.499, abs=0.002)
    assert np.quantile([row.dice for row in rows], 0.3) == pytest.approx(0.505, abs=0.001)
