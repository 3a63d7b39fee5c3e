"""Tables of a cross-validation: all folds together, each choice less the reference."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from experiments.peers.record import Record
from experiments.run_folder import write_json
from hipreg.data import CasePair
from hipreg.evaluation import LabelMetrics
from results.choices import DICE, choices, load, paired, segmentations, units
from results.cross_validation import main
from results.measurements import PairTable
from tests.results.helpers import rows

FOLDS = [[(1, 6), (3, 4), (4, 3), (6, 1)], [(2, 8), (5, 7), (7, 5), (8, 2)]]
DATA = {"dataset": "hippocampus", "fingerprint": "f00d"}


def write_choice(
    folder: Path, name: str, dice: Sequence[float], *, folds: Sequence[int] = (0, 1), **data: str
) -> None:
    """A choice of so much Dice on every pair of each fold, and of 2 s of processor time."""
    for fold in folds:
        place = folder / "pairs" / f"fold_{fold}"
        place.mkdir(parents=True, exist_ok=True)
        about = {"method": name, "commands": ["a command"], "data": {**DATA, "split": "", **data}}
        found: list[LabelMetrics] = []
        for pair, value in zip(FOLDS[fold], dice, strict=True):
            found += rows(value, pairs=[pair])
        seconds = {CasePair(*pair): (1.0, 2.0) for pair in FOLDS[fold]}
        Record(place / f"{name.replace(' ', '_')}.json", about, seconds, found).write()


def write_labels(
    folder: Path, name: str, fold: int, cases: dict[int, tuple[float, float]]
) -> None:
    place = folder / "cases" / f"fold_{fold}"
    place.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{case},{label},{two[label - 1]},1.5" for case, two in cases.items() for label in (1, 2)
    ]
    (place / f"{name}.csv").write_text("\n".join(["case,label,dice,hd95", *lines]) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plan = {
        "recipe": "best",
        "folds": 2,
        "words": [],
        "segment": {"wide": ["widths=[64,64]"]},
        "register": {},
        "variants": {"reference": {}, "dice 2": {}, "dice 10": {}, "steps 0": {}},
        "data": DATA,
    }
    write_json(tmp_path / "plan.json", plan)
    write_choice(tmp_path, "best", [0.70, 0.80, 0.82, 0.72])
    write_choice(tmp_path, "dice 10", [0.71, 0.81, 0.83, 0.73])
    write_choice(tmp_path, "dice 2", [0.60, 0.75, 0.77, 0.62])
    write_choice(tmp_path, "segment wide", [0.72, 0.80, 0.82, 0.74])
    write_choice(tmp_path, "unregistered", [0.5, 0.5, 0.5, 0.5])
    write_labels(tmp_path, "best", 0, {1: (0.8, 0.6), 3: (0.9, 0.7)})
    write_labels(tmp_path, "best", 1, {2: (0.7, 0.5)})
    write_labels(tmp_path, "wide", 0, {1: (0.9, 0.7), 3: (1.0, 0.8)})
    write_labels(tmp_path, "wide", 1, {2: (0.8, 0.6)})
    return tmp_path


def test_rows_stand_in_one_order_with_the_pairs_of_all_folds(folder: Path) -> None:
    found = choices(*load(folder))
    names = ["best", "dice 2", "dice 10", "segment wide", "unregistered"]
    assert [row.name for row in found] == names
    assert {len(row.table.pairs) for row in found} == {8}
    assert {row.cpu_seconds for row in found} == {2.0}


def test_difference_is_the_choice_less_the_reference_and_holm_counts_all_choices(
    folder: Path,
) -> None:
    tests = {row.name: row.against for row in choices(*load(folder))}
    assert tests["best"] is None
    assert tests["unregistered"] is None
    lower, higher = tests["dice 2"], tests["dice 10"]
    assert lower is not None
    assert higher is not None
    assert lower.difference == pytest.approx(-0.075)
    assert higher.difference == pytest.approx(0.01)
    # Four pairs of cases, all of one sign: 2 of the 16 ways of signs; three choices are tested.
    assert lower.n == 4
    assert (lower.p, lower.p_holm) == (2 / 16, 3 * 2 / 16)


def test_both_directions_of_two_cases_are_one_value() -> None:
    table = PairTable.of(
        [*rows(0.6, pairs=[(1, 2)]), *rows(0.8, pairs=[(2, 1)]), *rows(0.9, pairs=[(3, 4)])], "it"
    )
    np.testing.assert_allclose(units(table, DICE).values, [0.7, 0.9])
    assert paired(table, table, DICE).n == 2


def test_choice_that_is_not_finished_is_compared_on_the_pairs_of_both(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_choice(folder, "steps 0", [0.40, 0.50, 0.52, 0.42], folds=[0])
    (row,) = [row for row in choices(*load(folder)) if row.name == "steps 0"]
    assert row.against is not None
    assert (row.against.n, row.against.difference) == (2, pytest.approx(-0.3))
    assert main([str(folder)]) == 0
    assert "Not every row has been measured on all pairs" in capsys.readouterr().out


def test_segmentations_are_told_by_label_over_the_cases_of_all_folds(folder: Path) -> None:
    plan, _ = load(folder)
    first, wide = segmentations(folder, plan)
    assert (first.name, len(first.table.pairs)) == ("best", 3)
    np.testing.assert_allclose(first.table.values["dice"].mean(0), [0.8, 0.6])
    assert wide.against is not None
    assert wide.against.difference == pytest.approx(0.1)
    assert wide.against.n == 3


def test_command_prints_and_keeps_the_tables(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder)]) == 0
    printed, written = capsys.readouterr().out, (folder / "cross_validation.md").read_text()
    for text in (printed, written):
        assert "2 folds, 8 pairs of training cases" in text
        assert "segment wide: widths=[64,64]." in text
        assert "0.3750" in text
    assert "Recorded by: a command" in written
    with (folder / "choices.csv").open() as file:
        found = {row["choice"]: row for row in csv.DictReader(file)}
    assert float(found["best"]["dice"]) == pytest.approx(0.76)
    assert found["best"]["dice_difference"] == ""
    assert float(found["dice 2"]["dice_p_holm"]) == 0.375
    with (folder / "segmentations.csv").open() as file:
        (first, _) = csv.DictReader(file)
    assert float(first["dice/label_2"]) == pytest.approx(0.6)
    assert main([str(folder)]) == 0
    assert (folder / "cross_validation.md").read_text() == written


def test_what_cannot_be_shown_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(folder / "nowhere")]) == 1
    assert "no records of python -m experiments.cross_validation" in capsys.readouterr().err
    cases = folder / "cases" / "fold_0" / "best.csv"
    cases.write_text("case,label\n1,1\n")
    assert main([str(folder)]) == 1
    assert "best.csv: no table of cases" in capsys.readouterr().err
    write_choice(folder, "dice 2", [0.5] * 4, folds=[1], fingerprint="beef")
    assert main([str(folder)]) == 1
    assert "'beef'" in capsys.readouterr().err
    plan = json.loads((folder / "plan.json").read_text())
    write_json(folder / "plan.json", {**plan, "recipe": "quick"})
    write_choice(folder, "dice 2", [0.5] * 4, folds=[1])
    assert main([str(folder)]) == 1
    assert "nothing was measured yet of the reference quick" in capsys.readouterr().err
