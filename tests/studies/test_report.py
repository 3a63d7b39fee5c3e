"""The report of a study: one page that loads nothing, and a figure or its reason for each part."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from experiments.errors import PlainError
from pages.look import LIGHT
from studies import schema
from studies.report import main
from studies.reporting.page import html, parts
from studies.reporting.view import View
from studies.reporting.words import outcome
from tests.browser import chromium
from tests.studies.made import channels, new_study, pareto, trial, whole

PICTURES = os.environ.get("HIPREG_TEST_PICTURES")
"""A folder for screenshots, to look at."""
ALL = {"history", "importance", "slices", "contours", "front", "learning", "cost", "timeline"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study with trials of every kind."""
    folder = tmp_path_factory.mktemp("studies")
    whole(folder)
    arguments = ["weights", "--storage", str(folder / "weights.journal")]
    assert main([*arguments, "--out", str(folder / "out")]) == 0
    return folder / "out"


def drawn(study: optuna.Study) -> dict[str, str | None]:
    """Why each part of a study's report is missing, None for those that are there; draws them."""
    found = {}
    for part in parts(View.of(study)):
        found[part.name] = part.why
        if part.picture is not None:
            assert part.picture.draw(LIGHT) is not None
            assert len(part.picture.caption) > 20
    return found


def test_page_holds_figures_tables_and_the_way_back(written: Path) -> None:
    text = (written / "report.html").read_text()
    for words in (
        "Study weights",
        "Matters most",
        "Best Dice",
        "2 over a limit",
        "broken off",
        "python experiments/train.py with quick synthetic",
        "git checkout 0123456789abcdef",
        "no &lt;b&gt;memory&lt;/b&gt; left",
        "Not drawn: the study has one objective",
        "python studies/report.py weights",
    ):
        assert words in text, words
    assert not re.findall(r"""(?:src|href|srcset)=["'](?!data:|#)""", text)
    assert {path.stem for path in written.glob("*.png")} == ALL - {"front"}


def test_figures_that_are_no_longer_there_go(tmp_path: Path) -> None:
    new_study(tmp_path)
    (tmp_path / "history.png").touch()
    out = ["--out", str(tmp_path)]
    assert main(["weights", "--storage", str(tmp_path / "weights.journal"), *out]) == 0
    assert not list(tmp_path.glob("*.png"))
    assert "no trials yet" in (tmp_path / "report.html").read_text()


def one_complete() -> optuna.Study:
    study = new_study(None)
    study.add_trial(trial(0))
    return study


def all_pruned() -> optuna.Study:
    study = new_study(None)
    study.add_trials([trial(number, TrialState.PRUNED) for number in range(6)])
    return study


def all_failed() -> optuna.Study:
    study = new_study(None)
    study.add_trial(trial(0, TrialState.FAIL, attributes={schema.FAILED: "why"}))
    study.add_trial(trial(1, TrialState.FAIL))
    return study


def foreign() -> optuna.Study:
    """A study that somebody else made: no attributes, no values before the end, equal values."""
    study = optuna.create_study()
    for _ in range(6):
        asked = study.ask()
        asked.suggest_categorical("word", ["a", None, 3])
        asked.suggest_float("number", 0, 1)
        study.tell(asked, 1.0)
    study.ask()
    return study


def test_the_outcome_is_said_in_plain_text_too() -> None:
    told = "\n".join(outcome(View.of(pareto())))
    assert "Pareto front (" in told
    assert "Importance, with the 5 and 95 % quantiles" in told
    told = "\n".join(outcome(View.of(channels())))
    assert re.search(r"Best: run \d+ with Dice 0\.\d{4}; again with\n  ", told)
    assert re.search(r"Knee of Dice against cost: run \d+, channel multiplication \d", told)
    assert "Importance: not said, " in told
    assert next(iter(outcome(View.of(new_study(None))))).endswith("The study has no trials yet.")


@pytest.mark.parametrize(
    ("make", "there"),
    [
        (lambda: new_study(None), set()),
        (one_complete, {"history", "slices", "learning", "cost", "timeline"}),
        (all_pruned, {"learning", "timeline"}),
        (all_failed, {"learning", "timeline"}),
        (foreign, {"history", "slices", "contours", "timeline"}),
        (channels, {"history", "slices", "learning", "cost", "timeline"}),
        (pareto, ALL - {"learning"}),
    ],
)
def test_every_part_is_drawn_or_says_why_not(
    make: Callable[[], optuna.Study], there: set[str]
) -> None:
    study = make()
    found = drawn(study)
    assert {name for name, why in found.items() if why is None} == there
    assert all(len(why) > 15 for why in found.values() if why is not None)
    text = html(View.of(study), [], "a command")
    assert "nan" not in re.sub(r"<style>.*</style>", "", text, flags=re.DOTALL)


def test_knee_is_named_with_its_rule() -> None:
    (cost,) = (part for part in parts(View.of(channels())) if part.name == "cost")
    assert cost.picture is not None
    assert "The knee is channel_multiplication=1 (run 101)" in cost.picture.caption
    assert "farthest above the straight line" in cost.picture.caption


def test_study_that_is_not_there_is_one_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    whole_path = tmp_path / "a.journal"
    with pytest.raises(PlainError, match=r"no study in .*a\.journal"):
        main(["weights", "--storage", str(whole_path)])
    assert not list(tmp_path.iterdir())
    new_study(tmp_path, "other")
    with pytest.raises(PlainError, match=r"no study 'weights'.*there are: other"):
        main(["weights", "--storage", str(tmp_path / "other.journal")])


@pytest.fixture(params=[(390, True), (1280, False)], ids=str)
def page(request: pytest.FixtureRequest, written: Path) -> Iterator[Any]:
    width, dark = request.param
    with chromium(width, dark=dark) as opened:
        opened.get((written / "report.html").as_uri())
        if PICTURES:
            opened.save_screenshot(str(Path(PICTURES) / f"study_{width}.png"))
        yield opened


def test_page_fits_its_window_and_loads_nothing(page: Any) -> None:
    def ask(script: str) -> Any:
        return page.execute_script(f"return {script}")

    assert ask("document.documentElement.scrollWidth <= window.innerWidth")
    images = ask("[...document.images].map(i => [i.complete, i.naturalWidth, i.alt.length])")
    assert len(images) == len(ALL) - 1
    assert all(complete and width > 100 and alt > 20 for complete, width, alt in images)
    outside = "performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:'))"
    assert ask(f"{outside}.length") == 0
