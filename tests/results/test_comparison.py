"""Rows stand for what was run, on the same pairs of the same data, and say by which runs."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import pytest

from results.comparison import Comparison, Row, compare, read_published
from results.runs import load_runs
from tests.results.helpers import finished, rows, write_run


def comparison(root: Path, split: str = "val") -> Comparison:
    """The only comparison that the runs under ``root`` allow."""
    (only,), _ = compare(load_runs(root), split)
    return only


def row(table: Comparison, name: str) -> Row:
    (only,) = [row for row in table.rows if row.name == name]
    return only


def test_row_holds_the_mean_over_pairs_of_the_mean_over_labels(tmp_path: Path) -> None:
    tables = {"val": rows(0.6, pairs=[(1, 2)]) + rows(0.8, pairs=[(2, 1)])}
    write_run(tmp_path, "sym", tables=tables)
    table = comparison(tmp_path)
    assert table.pairs == 2
    assert row(table, "sym").ours["dice"] == pytest.approx(0.7)
    assert row(table, "sym").ours["dice30"] == pytest.approx(0.66)
    assert row(table, "sym").runs == (1,)


def test_unregistered_row_comes_from_the_run_that_measured_it(tmp_path: Path) -> None:
    finished(tmp_path, "sym", 0.7)
    unregistered = row(comparison(tmp_path), "unregistered")
    assert unregistered.ours["dice"] == pytest.approx(0.5)
    assert unregistered.runs == (1,)


def test_published_rows_come_first_and_stay_without_a_run_of_ours(tmp_path: Path) -> None:
    finished(tmp_path, "quick", 0.7)
    table = comparison(tmp_path)
    assert [row.name for row in table.rows] == [
        "unregistered",
        "baseline",
        "sym",
        "sym pretrain",
        "sym pretrain merge",
        "quick",
    ]
    assert row(table, "baseline").ours == {}
    assert row(table, "baseline").published["dice"] == 0.796
    assert row(table, "quick").published == {}


def test_newest_of_several_runs_is_shown_and_the_others_are_named_with_what_differs(
    tmp_path: Path,
) -> None:
    finished(tmp_path, "sym", 0.6, config={"epochs": 3, "seed": 1})
    finished(tmp_path, "sym", 0.7, config={"epochs": 9, "seed": 2})
    finished(tmp_path, "sym", 0.8, config={"epochs": 9, "seed": 3})
    table = comparison(tmp_path)
    assert row(table, "sym").runs == (3,)
    assert row(table, "sym").ours["dice"] == pytest.approx(0.8)
    assert "sym: run 3, the newest, is shown; also finished: 2, 1 (epochs=3)." in table.notes


@pytest.mark.parametrize(
    "other",
    [
        {"fingerprint": "beef"},
        {"config": {"dataset": "synthetic"}},
        {"pairs": [(1, 2)]},
        {"pairs": [(1, 2), (2, 3)]},
    ],
)
def test_runs_on_other_data_or_pairs_stand_in_a_table_apart(
    tmp_path: Path, other: dict[str, object]
) -> None:
    finished(tmp_path, "sym", 0.6, **other)
    finished(tmp_path, "sym", 0.7)
    tables, left_out = compare(load_runs(tmp_path))
    assert left_out == []
    assert sorted(row(table, "sym").runs for table in tables) == [(1,), (2,)]


def test_published_figures_stand_beside_their_own_data_only(tmp_path: Path) -> None:
    finished(tmp_path, "sym", 0.6, config={"dataset": "synthetic"})
    table = comparison(tmp_path)
    assert [row.name for row in table.rows] == ["unregistered", "sym"]
    assert all(row.published == {} for row in table.rows)


def test_runs_that_cannot_stand_for_a_row_are_listed_with_the_reason(tmp_path: Path) -> None:
    write_run(tmp_path, "sym", status="FAILED", tables={"val": rows(0.7)})
    write_run(tmp_path, "sym")
    broken = finished(tmp_path, "sym", 0.7)
    (broken / "artifacts" / "pairs_val.csv").write_text("fixed,moving\n")
    finished(tmp_path, "sym pretrain merge", 0.99, config={"merge_train_val": True})
    (tmp_path / "5").mkdir()
    tables, left_out = compare(load_runs(tmp_path))
    assert tables == []
    reasons = ["5: run.json is missing", "1 (sym): not finished", "2 (sym): no pairs_val.csv"]
    reasons += ["3 (sym): ", "4 (sym pretrain merge): trained on the validation cases"]
    assert len(left_out) == len(reasons)
    for line, reason in zip(left_out, reasons, strict=True):
        assert line.startswith(reason)


def test_last_run_of_a_lineage_stands_for_it_once_it_is_finished(tmp_path: Path) -> None:
    write_run(tmp_path, "sym", status="INTERRUPTED")
    finished(tmp_path, "sym", 0.6, lineage=[1])
    finished(tmp_path, "sym", 0.7, lineage=[1, 2])
    write_run(tmp_path, "sym", status="FAILED", lineage=[1, 2, 3])
    (table,), left_out = compare(load_runs(tmp_path))
    assert row(table, "sym").runs == (3,)
    assert not [note for note in table.notes if "also finished" in note]
    assert left_out == [
        "1 (sym): continued as run 3",
        "2 (sym): continued as run 3",
        "4 (sym): not finished (failed)",
    ]


def test_published_test_row_gets_no_number_of_ours(tmp_path: Path) -> None:
    finished(tmp_path, "baseline", 0.7)
    finished(tmp_path, "sym pretrain merge", 0.99)
    table = comparison(tmp_path)
    assert row(table, "sym pretrain merge").ours == {}
    assert any("never published" in note for note in table.notes)


def test_published_file_holds_the_paper_s_figures() -> None:
    published = {row.name: row for row in read_published()}
    assert published["sym pretrain"].figures["jacobian"] == 0.093
    assert isnan(published["unregistered"].figures["jacobian"])
    assert published["sym pretrain merge"].split == "test"
