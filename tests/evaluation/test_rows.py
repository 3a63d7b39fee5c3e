from __future__ import annotations

from dataclasses import astuple, replace
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest

from hipreg.evaluation import LabelMetrics, aggregate, read_rows, write_rows
from hipreg.evaluation.aggregate import quantile

ROW = LabelMetrics(311, 394, 1, 0.5, 2.0, 0.1, 0.025, 0.001)


def rows_of(dice: np.ndarray, hd95: np.ndarray | None = None) -> list[LabelMetrics]:
    """One row per pair (first axis) and label (second axis); smoothness rises with the pair."""
    hd95 = dice * 10 if hd95 is None else hd95
    return [
        LabelMetrics(i, 99 - i, k + 1, dice[i, k], hd95[i, k], i / 10, i / 40, i / 100)
        for i, k in np.ndindex(dice.shape)
    ]


def test_rows_survive_the_file_bit_for_bit(tmp_path: Path) -> None:
    rows = [ROW, replace(ROW, label=2, dice=0.1 + 0.2, hd95=inf), replace(ROW, dice=nan, hd95=nan)]
    write_rows(tmp_path / "pairs.csv", rows)
    back = read_rows(tmp_path / "pairs.csv")
    assert [tuple(map(repr, astuple(row))) for row in back] == [
        tuple(map(repr, astuple(row))) for row in rows
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.csv"]


def test_numpy_numbers_are_written_as_plain_ones(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", [replace(ROW, fixed=np.int64(311), dice=np.float64(0.5))])
    write_rows(tmp_path / "b.csv", [ROW])
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_no_rows_make_a_file_of_the_header(tmp_path: Path) -> None:
    write_rows(tmp_path / "none.csv", [])
    assert read_rows(tmp_path / "none.csv") == []


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    write_rows(path, [ROW])
    with pytest.raises(TypeError):
        write_rows(path, [replace(ROW, label=2), "no row"])  # type: ignore[list-item]
    assert read_rows(path) == [ROW]
    assert len(list(tmp_path.iterdir())) == 1


def test_faulty_files_are_named_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("fixed,moving\n1,2\n")
    with pytest.raises(ValueError, match=r"pairs\.csv: got the columns"):
        read_rows(path)
    write_rows(path, [ROW, ROW])
    good = path.read_text()
    path.write_text(good.replace("0.025", "much", 1))
    with pytest.raises(ValueError, match=r"pairs\.csv, line 2: .*much"):
        read_rows(path)
    path.write_text(good + "311,394,1\n")
    with pytest.raises(ValueError, match="line 4: got 3 values, wanted 8"):
        read_rows(path)


def test_means_and_quantiles_are_over_pair_means() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((11, 2))
    figures = aggregate(rows_of(scores))
    assert figures["dice"] == pytest.approx(scores.mean())
    assert figures["dice30"] == pytest.approx(np.quantile(scores.mean(axis=1), 0.3))
    assert figures["hd95"] == pytest.approx(10 * scores.mean())
    assert figures["hd95_30"] == pytest.approx(np.quantile(10 * scores.mean(axis=1), 0.3))
    assert figures["dice/label_1"] == pytest.approx(scores[:, 0].mean())
    assert figures["hd95/label_2"] == pytest.approx(10 * scores[:, 1].mean())
    assert figures["sdlogj"] == pytest.approx(0.5)
    assert figures["sdlogj_2020"] == pytest.approx(0.125)
    assert figures["folding"] == pytest.approx(0.05)
    assert figures["sdlogj_30"] == pytest.approx(np.quantile(np.arange(11) / 10, 0.7))
    assert figures["sdlogj_2020_30"] == pytest.approx(np.quantile(np.arange(11) / 40, 0.7))


def test_absent_labels_are_left_out() -> None:
    scores = np.array([[0.8, nan], [nan, nan], [0.2, 0.4]])
    figures = aggregate(rows_of(scores))
    assert figures["dice"] == pytest.approx((0.8 + 0.3) / 2)
    assert figures["dice/label_2"] == pytest.approx(0.4)
    assert figures["dice30"] == pytest.approx(np.quantile([0.8, 0.3], 0.3))
    assert np.isnan(aggregate(rows_of(np.full((2, 1), nan)))["dice"])


def test_an_empty_warped_label_makes_hd95_inf_but_not_its_low_quantile() -> None:
    scores = np.full((11, 2), 0.5)
    distances = np.full((11, 2), 2.0)
    distances[3, 1] = inf
    figures = aggregate(rows_of(scores, distances))
    assert figures["hd95"] == inf
    assert figures["hd95_30"] == 2


def test_other_numbers_of_labels_need_no_change() -> None:
    figures = aggregate(rows_of(np.full((3, 5), 0.5)))
    assert figures["dice/label_5"] == 0.5


def test_nothing_and_doubled_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="got no rows"):
        aggregate([])
    with pytest.raises(ValueError, match="label 1 of the pair fixed 311, moving 394 twice"):
        aggregate([ROW, ROW])


@pytest.mark.parametrize("level", [0.0, 0.3, 0.5, 0.7, 1.0])
def test_quantile_is_numpys(level: float) -> None:
    rng = np.random.default_rng(1)
    for n in (1, 2, 3, 11, 60):
        values = rng.standard_normal(n).tolist()
        assert quantile(values, level) == pytest.approx(float(np.quantile(values, level)))


def test_quantile_beside_inf_and_nan() -> None:
    assert quantile([1.0, 2.0, inf], 0.5) == 2
    assert quantile([1.0, inf], 0.3) == inf
    assert quantile([inf, inf], 0.3) == inf
    assert np.isnan(quantile([1.0, nan], 0.3))
    assert np.isnan(quantile([], 0.3))
    with pytest.raises(ValueError, match="got 30"):
        quantile([1.0], 30)
