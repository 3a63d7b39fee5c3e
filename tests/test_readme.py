"""The README says what the records say."""

from __future__ import annotations

import re
from pathlib import Path

from experiments.configs import NAMED
from results.comparison import comparisons
from results.formats.grids import figures
from results.formats.text import markdown_grid
from results.metrics import DEFAULT, find_metrics
from results.rows import Design
from results.runs import load_runs
from results.selection import Filter, usable

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_table_of_results_is_the_one_made_from_the_records() -> None:
    found, left_out = usable(load_runs(ROOT / "results" / "records"), Filter())
    assert left_out == []
    (comparison,) = comparisons(found, "val", Design(find_metrics(DEFAULT)))
    assert markdown_grid(figures(comparison)) in README


def test_files_and_pictures_that_it_links_to_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    missing = [link for link in links if not (ROOT / link).exists()]
    assert missing == []


def test_every_named_configuration_is_mentioned() -> None:
    assert [name for name in NAMED if not re.search(rf"[` ]{name}[` \n]", README)] == []
