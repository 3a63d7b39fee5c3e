"""Rows are named or asked for by what the configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.runs import load_runs
from results.selection import Condition, Filter, RowQuery, rows_by, usable
from tests.results.helpers import finished, study, table_of

CONFIG = {"epochs": 100, "symmetric": True, "init_from": None, "profile": "quick", "seed": 1}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("epochs=100", True),
        ("epochs>=100", True),
        ("epochs<100", False),
        ("epochs!=3", True),
        ("symmetric=true", True),
        ("symmetric=True", True),
        ("symmetric=1", False),
        ("seed=true", False),
        ("init_from=null", True),
        ("init_from=None", True),
        ("init_from>3", False),
        ("profile=quick", True),
        ('profile="quick"', True),
        ("unknown=1", False),
    ],
)
def test_condition_holds_as_it_reads(text: str, holds: bool) -> None:
    assert Condition.parse(text).holds(CONFIG) is holds


@pytest.mark.parametrize("text", ["epochs", "=3", "a b=1"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a condition is"):
        Condition.parse(text)


def test_row_is_a_name_or_a_title_with_conditions() -> None:
    assert RowQuery.parse("sym pretrain") == RowQuery("", "sym pretrain")
    query = RowQuery.parse("Long: epochs>=100 symmetric=true")
    assert (query.title, query.name) == ("Long", None)
    assert list(map(str, query.conditions)) == ["epochs>=100", "symmetric=true"]
    with pytest.raises(ValueError, match="no condition after it"):
        RowQuery.parse("Long:")


def test_rows_by_query_take_the_runs_that_fit(tmp_path: Path) -> None:
    study(tmp_path)
    table = table_of(tmp_path, "One way: symmetric=false", "Both: name=sym")
    assert table.row("One way").ids == (1, 2, 3)
    assert table.row("both").ids == (4, 5, 6)
    assert table.reference == "One way"


def test_query_that_fits_different_configurations_is_refused_with_the_difference(
    tmp_path: Path,
) -> None:
    study(tmp_path)
    with pytest.raises(
        ValueError, match=r"different configurations: run 6 \(name=sym\) and run 7"
    ):
        table_of(tmp_path, "Both: symmetric=true")


def test_row_without_a_run_is_refused_with_the_names_that_there_are(tmp_path: Path) -> None:
    finished(tmp_path, "sym", 0.7)
    with pytest.raises(
        ValueError, match="no finished run fits the row 'wide'; there are runs of sym"
    ):
        table_of(tmp_path, "wide")


def test_there_is_a_row_for_each_value_of_an_entry(tmp_path: Path) -> None:
    study(tmp_path)
    found, _ = usable(load_runs(tmp_path), Filter(ids=(1, 2, 3, 4)))
    assert [query.title for query in rows_by(found, ["symmetric"])] == [
        "symmetric=false",
        "symmetric=true",
    ]
    with pytest.raises(ValueError, match="no run has the configuration entry depth"):
        rows_by(found, ["depth"])


def test_filters_leave_the_runs_that_fit_them_all(tmp_path: Path) -> None:
    study(tmp_path)
    finished(tmp_path, "sym", 0.6, fingerprint="beef", config={"seed": 0})

    def ids(**wanted: object) -> list[int]:
        found, _ = usable(load_runs(tmp_path), Filter(**wanted))  # type: ignore[arg-type]
        return [item.run.id for item in found]

    assert ids(seeds=(0,)) == [1, 4, 7, 8]
    assert ids(seeds=(0,), fingerprint="f0") == [1, 4, 7]
    assert ids(conditions=(Condition.parse("symmetric=true"),), seeds=(1,)) == [5]
    assert ids(dataset="synthetic") == []
