"""The README says what the records say."""

from __future__ import annotations

import re
from pathlib import Path

from experiments.configs import NAMED
from results.comparison import compare
from results.runs import load_runs
from results.tables import markdown_table

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_table_of_results_is_the_one_made_from_the_records() -> None:
    comparisons, left_out = compare(load_runs(ROOT / "results" / "records"))
    assert left_out == []
    (comparison,) = comparisons
    table = [line for line in markdown_table(comparison).splitlines() if line.startswith("|")]
    assert "\n".join(table) in README


def test_files_and_pictures_that_it_links_to_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    missing = [link for link in links if not (ROOT / link).exists()]
    assert missing == []


def test_every_named_configuration_is_mentioned() -> None:
    assert [name for name in NAMED if not re.search(rf"[` ]{name}[` \n]", README)] == []
