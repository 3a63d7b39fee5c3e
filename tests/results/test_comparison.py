"""Rows stand for what was run, on the same pairs of the same data, and say by which runs."""

from __future__ import annotations

import json
from math import inf, isnan, nan
from pathlib import Path

import numpy as np
import pytest

from hipreg.evaluation import LabelMetrics
from results.comparison import comparisons
from results.measurements import PairTable, evaluate, tidy
from results.metrics import DEFAULT, METRICS, find_metrics
from results.published import read_published
from results.rows import Design
from results.runs import load_runs
from results.samples import hardest, sample
from results.selection import Filter, usable
from tests.results.helpers import MANY, finished, rows, study, table_of, varied, write_run

DESIGN = Design(find_metrics(DEFAULT))


def value(root: Path, name: str, metric: str = "dice") -> float:
    return table_of(root).row(name).figures[metric].value


def test_row_holds_the_mean_over_pairs_of_the_mean_over_labels(tmp_path: Path) -> None:
    tables = {"val": rows(0.6, pairs=[(1, 2)]) + rows(0.8, pairs=[(2, 1)])}
    write_run(tmp_path, "sym", tables=tables)
    row = table_of(tmp_path).row("sym")
    assert row.figures["dice"].value == pytest.approx(0.7)
    assert row.figures["dice"].sd == pytest.approx(np.std([0.6, 0.8], ddof=1))
    assert row.figures["dice30"].value == pytest.approx(0.66)
    assert (row.ids, row.figures["dice"].n) == ((1,), 2)


def test_seeds_are_averaged_within_each_pair_before_anything_else(tmp_path: Path) -> None:
    for seed, (first, second) in enumerate([(0.6, 0.8), (0.8, 0.6)]):
        tables = {"val": rows(first, pairs=[(1, 2)]) + rows(second, pairs=[(2, 1)])}
        write_run(tmp_path, "sym", tables=tables, config={"seed": seed})
    row = table_of(tmp_path).row("sym")
    assert row.ids == (1, 2)
    assert row.figures["dice"].value == pytest.approx(0.7)
    # Each pair's mean over the seeds is the same, so there is no spread between pairs.
    assert row.figures["dice"].sd == pytest.approx(0, abs=1e-12)


def test_use_of_labels_is_said_of_every_row(tmp_path: Path) -> None:
    finished(tmp_path, "sym", 0.7, config={"weight_dice": 1.0, "segmenter": None})
    finished(tmp_path, "no_dice", 0.6, config={"weight_dice": 0.0, "segmenter": None})
    finished(tmp_path, "best", 0.8, config={"weight_dice": 5.0, "segmenter": "newest"})
    (note,) = [note for note in table_of(tmp_path).notes if note.startswith("Labels")]
    words = "none: No_dice; in training: + symmetric; in training, predicted at test time: Best."
    assert note.endswith(words)


def test_seeds_can_have_rows_of_their_own(tmp_path: Path) -> None:
    table = table_of(study(tmp_path), per_seed=True)
    assert [row.name for row in table.rows if row.name.startswith("sym, ")] == [
        "sym, seed 0",
        "sym, seed 1",
        "sym, seed 2",
    ]
    assert table.row("sym, seed 1").ids == (5,)


def test_labels_can_have_columns_of_their_own(tmp_path: Path) -> None:
    finished(tmp_path, "sym", 0.6)
    table = table_of(tmp_path, "sym", metrics=["dice", "dice/label_1", "hd95/label_2"])
    figures = table.row("sym").figures
    assert figures["dice/label_1"].value == pytest.approx(0.7)
    assert figures["hd95/label_2"].value == pytest.approx(2.0)
    with pytest.raises(ValueError, match="labels are 1, 2"):
        table_of(tmp_path, "sym", metrics=["dice/label_3"])
    with pytest.raises(ValueError, match="it has no labels"):
        find_metrics(["sdlogj/label_1"])


def test_unregistered_row_comes_from_the_run_that_measured_it(tmp_path: Path) -> None:
    finished(tmp_path, "sym", 0.7)
    assert value(tmp_path, "unregistered") == pytest.approx(0.5)
    assert table_of(tmp_path).row("unregistered").ids == (1,)


def test_published_rows_come_first_and_stay_without_a_run_of_ours(tmp_path: Path) -> None:
    finished(tmp_path, "quick", 0.7)
    table = table_of(tmp_path)
    assert [row.name for row in table.rows] == [
        "unregistered",
        "baseline",
        "sym",
        "sym pretrain",
        "sym pretrain merge",
        "quick",
    ]
    assert table.row("baseline").figures == {}
    assert table.row("baseline").published["dice"] == 0.796
    assert table.row("quick").published == {}


def test_newest_configuration_is_shown_and_others_are_named_with_what_differs(
    tmp_path: Path,
) -> None:
    finished(tmp_path, "sym", 0.6, config={"epochs": 3, "seed": 1})
    finished(tmp_path, "sym", 0.7, config={"epochs": 9, "seed": 2})
    finished(tmp_path, "sym", 0.8, config={"epochs": 9, "seed": 3})
    table = table_of(tmp_path)
    assert table.row("sym").ids == (2, 3)
    assert value(tmp_path, "sym") == pytest.approx(0.75)
    expected = (
        "sym: the configuration of run 3, the newest, is shown; also finished: 1 (epochs=3)."
    )
    assert expected in table.notes


def test_seeds_that_started_from_different_pretrainings_are_never_averaged(tmp_path: Path) -> None:
    config = {"init_from": "pretrained", "epochs": 9}
    for seed, weights in enumerate(("1", "1", "2")):
        folder = finished(tmp_path, "sym pretrain", 0.7, config={**config, "seed": seed})
        document = json.loads((folder / "run.json").read_text())
        document["started_from"] = {"weights": f"runs/{weights}/artifacts/pretrained.pt"}
        (folder / "run.json").write_text(json.dumps(document))
    continued = finished(tmp_path, "sym pretrain", 0.7, config={**config, "seed": 2}, lineage=[3])
    table = table_of(tmp_path)
    assert table.row("sym pretrain").ids == (int(continued.name),)
    assert any("init_from" in note for note in table.notes)


def test_repetition_of_a_seed_is_found_by_its_configuration(tmp_path: Path) -> None:
    for dice, device in ((0.6, "cpu"), (0.7, "cuda")):
        finished(tmp_path, "sym", dice, config={"seed": 1, "device": device})
    table = table_of(tmp_path)
    assert table.row("sym").ids == (2,)
    assert any("run 1 has the configuration and seed of run 2" in note for note in table.notes)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"fingerprint": "beef"}, "data fingerprint f00d against beef"),
        ({"config": {"dataset": "synthetic"}}, "data set hippocampus against synthetic"),
        ({"info": {"metric_definitions": 2}}, "metric definitions 1 against 2"),
        ({"pairs": [(1, 2)]}, r"2 pairs against 1 \(only in the first: 2-1\)"),
        ({"pairs": [(1, 2), (2, 3)]}, "only in the first: 2-1; only in the second: 2-3"),
    ],
)
def test_runs_on_other_data_pairs_or_definitions_are_never_mixed(
    tmp_path: Path, other: dict[str, object], named: str
) -> None:
    finished(tmp_path, "sym", 0.7)
    finished(tmp_path, "sym", 0.6, **other)
    found, _ = usable(load_runs(tmp_path), Filter())
    first, second = comparisons(found, "val", DESIGN)
    assert (first.row("sym").ids, second.row("sym").ids) == ((1,), (2,))
    with pytest.raises(ValueError, match=f"runs 1 and 2 cannot stand in one table: .*{named}"):
        table_of(tmp_path, "sym")


def test_published_figures_stand_beside_their_own_data_only(tmp_path: Path) -> None:
    finished(tmp_path, "sym", 0.6, config={"dataset": "synthetic"})
    table = table_of(tmp_path)
    assert [row.name for row in table.rows] == ["unregistered", "sym"]
    assert all(row.published == {} for row in table.rows)


def test_runs_that_cannot_stand_for_a_row_are_listed_with_the_reason(tmp_path: Path) -> None:
    write_run(tmp_path, "sym", status="FAILED", tables={"val": rows(0.7)})
    write_run(tmp_path, "sym")
    broken = finished(tmp_path, "sym", 0.7)
    (broken / "artifacts" / "pairs_val.csv").write_text("fixed,moving\n")
    finished(tmp_path, "sym pretrain merge", 0.99, config={"merge_train_val": True})
    write_run(tmp_path, "sym", status="PRUNED")
    (tmp_path / "6").mkdir()
    found, left_out = usable(load_runs(tmp_path), Filter())
    assert found == []
    reasons = ["6: run.json is missing", "1 (sym): not finished (failed)"]
    reasons += ["2 (sym): no pairs_val.csv", "3 (sym): ", "4 (sym pretrain merge): trained on"]
    reasons += ["5 (sym): not finished (pruned)"]
    assert len(left_out) == len(reasons)
    for line, reason in zip(left_out, reasons, strict=True):
        assert line.startswith(reason)


def test_last_run_of_a_lineage_stands_for_it_once_it_is_finished(tmp_path: Path) -> None:
    write_run(tmp_path, "sym", status="INTERRUPTED")
    finished(tmp_path, "sym", 0.6, lineage=[1])
    finished(tmp_path, "sym", 0.7, lineage=[1, 2])
    write_run(tmp_path, "sym", status="FAILED", lineage=[1, 2, 3])
    found, left_out = usable(load_runs(tmp_path), Filter())
    assert [(item.run.id, item.run.lineage) for item in found] == [(3, (1, 2, 3))]
    assert left_out == [
        "1 (sym): continued as run 3",
        "2 (sym): continued as run 3",
        "4 (sym): not finished (failed)",
    ]


def test_published_test_row_gets_no_number_of_ours(tmp_path: Path) -> None:
    finished(tmp_path, "baseline", 0.7)
    folder = finished(tmp_path, "sym pretrain merge", 0.99, config={"seed": 4})
    records = load_runs(tmp_path)
    found, _ = usable(records, Filter())
    design = Design(find_metrics(DEFAULT), merged=(records.runs[1],))
    (table,) = comparisons(found, "val", design)
    assert table.row("sym pretrain merge").figures == {}
    assert any("never published" in n and "fields are to be made" in n for n in table.notes)
    (folder / "artifacts" / "submission.zip").touch()
    (table,) = comparisons(found, "val", design)
    assert any("submission.zip is ready for it" in note for note in table.notes)


def test_published_file_holds_the_paper_s_figures() -> None:
    published = {row.name: row for row in read_published()}
    assert published["sym pretrain"].figures["jacobian"] == 0.093
    assert isnan(published["unregistered"].figures["jacobian"])
    assert published["sym pretrain merge"].split == "test"


def test_reference_is_the_first_method_and_may_be_chosen(tmp_path: Path) -> None:
    study(tmp_path)
    table = table_of(tmp_path)
    assert table.reference == "baseline"
    assert table.row("baseline").against == {}
    found = table.row("sym").against["dice"]
    assert found.difference == pytest.approx(
        table.row("sym").figures["dice"].value - table.row("baseline").figures["dice"].value
    )
    assert found.p <= found.p_holm
    assert table_of(tmp_path, reference="+ symmetric").reference == "sym"
    with pytest.raises(ValueError, match="no row with figures"):
        table_of(tmp_path, reference="wide")


def test_comparison_turned_round_changes_nothing_but_the_sign(tmp_path: Path) -> None:
    study(tmp_path)
    one = table_of(tmp_path, "baseline", "sym").row("sym").against["dice"]
    other = table_of(tmp_path, "sym", "baseline").row("baseline").against["dice"]
    assert other.difference == pytest.approx(-one.difference)
    assert other.effect == pytest.approx(-one.effect)
    assert other.p == pytest.approx(one.p)


def test_hardest_cases_are_the_third_that_overlaps_least_before_registration() -> None:
    initial = PairTable.of(varied(0.5), "here")
    chosen = hardest(initial)
    assert chosen.sum() == round(0.3 * 2 * len(MANY))
    assert initial.values["dice"][chosen].max() <= initial.values["dice"][~chosen].min()
    table = PairTable.of(varied(0.8, seed=3), "here")
    of_cases = table.values["dice"][chosen].mean()
    drawn = sample([table], METRICS["dice30_hard"], initial)
    known = drawn.weights > 0
    mean = (drawn.values[known] * drawn.weights[known]).sum() / drawn.weights.sum()
    assert mean == pytest.approx(of_cases)


def test_label_that_a_case_lacks_leaves_the_pair_its_other_label() -> None:
    table = PairTable.of(
        [
            LabelMetrics(1, 2, 1, nan, nan, 0.1, 0.1, 0.0),
            LabelMetrics(1, 2, 2, 0.8, inf, 0.1, 0.1, 0.0),
        ],
        "here",
    )
    assert sample([table], METRICS["dice"], None).values.tolist() == [0.8]
    assert sample([table], METRICS["hd95"], None).values.tolist() == [inf]
    assert sample([table], find_metrics(["dice/label_1"])[0], None).values.tolist() == [
        pytest.approx(nan, nan_ok=True)
    ]


@pytest.mark.parametrize("change", ["twice", "missing"])
def test_table_lacks_no_label_and_has_none_twice(change: str) -> None:
    some = rows(0.6)
    some[1] = some[0] if change == "twice" else some[2]
    with pytest.raises(ValueError, match="here"):
        PairTable.of(some, "here")


def test_tidy_table_has_every_number_once(tmp_path: Path) -> None:
    finished(tmp_path, "sym", 0.7)
    (run,) = load_runs(tmp_path).runs
    lines = list(tidy([evaluate(run, "val")], "val"))
    # 2 splits, 2 pairs: 2 labels of 2 metrics, and 3 metrics of the whole pair.
    assert len(lines) == 2 * 2 * (2 * 2 + 3)
    assert len({line[:-1] for line in lines}) == len(lines)
    dice = [line.value for line in lines if (line.split, line.metric) == ("val", "dice")]
    assert np.mean(dice) == pytest.approx(0.7)
    assert {line.label for line in lines if line.metric == "sdlogj"} == {0}
