"""What is committed in ``results/made`` is what ``make results`` makes from the records."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from experiments import run_folder
from results import ablation, figures, report
from results.formats import FORMATS
from studies import report as study_report
from tests.results.helpers import finished

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "results" / "records"
MADE = ROOT / "results" / "made"


@pytest.mark.parametrize("suffix", FORMATS)
def test_tables_are_those_of_the_records(suffix: str, tmp_path: Path) -> None:
    arguments = ["--runs", str(RECORDS), "--out", str(tmp_path), "--format", suffix]
    assert ablation.main(arguments) == 0
    name = f"ablation.{suffix}"
    assert (tmp_path / name).read_text() == (MADE / name).read_text(), "run: make results"


def test_figures_are_those_of_the_records(tmp_path: Path) -> None:
    peers = ["--peers", str(ROOT / "results" / "peers")]
    assert figures.main(["--runs", str(RECORDS), "--out", str(tmp_path), *peers]) == 0
    made = sorted(path.name for path in tmp_path.iterdir())
    assert made == sorted(path.name for path in (MADE / "figures").iterdir()), "run: make results"


def test_report_is_that_of_the_records(tmp_path: Path) -> None:
    assert report.main(["--runs", str(RECORDS), "--out", str(tmp_path)]) == 0
    # The pictures' bytes are those of one version of Matplotlib and its fonts.
    texts = [
        re.sub(r"data:image/[^\"]+", "picture", (folder / "report.html").read_text())
        for folder in (tmp_path, MADE)
    ]
    assert texts[0] == texts[1], "run: make results"


@pytest.mark.parametrize("folder", sorted(RECORDS.glob("study_*")), ids=lambda path: path.name)
def test_outcomes_of_studies_are_those_of_their_journals(folder: Path, tmp_path: Path) -> None:
    name = folder.name.removeprefix("study_")
    journal = shutil.copy(folder / f"{name}.journal", tmp_path)  # opening one leaves locks
    out = tmp_path / "out"
    assert study_report.main([name, "--storage", str(journal), "--out", str(out)]) == 0
    _, *found = (out / "outcome.txt").read_text().splitlines()
    _, *kept = (folder / "outcome.txt").read_text().splitlines()
    assert found == kept, "run: make results"


@pytest.mark.parametrize(
    ("place", "reference"),
    [
        ("study_loss_weights/retrained", "quick, width 2, published weights"),
        ("study_recipe/retrained", "quick, width 2, published recipe"),
        ("crop", "quick, width 2, 8 epochs, crop None"),
    ],
)
def test_smaller_comparisons_are_as_recorded(place: str, reference: str, tmp_path: Path) -> None:
    kept = RECORDS / place
    arguments = ["--runs", str(kept), "--out", str(tmp_path), "--format", "md"]
    assert ablation.main([*arguments, "--reference", reference]) == 0
    found = (tmp_path / "ablation.md").read_bytes()
    assert found == (kept / "ablation.md").read_bytes(), "run: make results"


def test_before_the_first_run_it_shows_the_committed_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HIPREG_RUNS", raising=False)
    monkeypatch.setattr(run_folder, "DEFAULT_RUNS", tmp_path / "runs")
    write = ["--out", str(tmp_path), "--format", "md"]
    assert ablation.main(write) == 0
    assert "No runs of your own yet" in capsys.readouterr().err
    assert (tmp_path / "ablation.md").read_bytes() == (MADE / "ablation.md").read_bytes()
    finished(tmp_path / "runs", "mine", 0.7)
    assert ablation.main(write) == 0
    assert "Mine" in (tmp_path / "ablation.md").read_text()
    monkeypatch.setenv("HIPREG_RUNS", str(tmp_path / "empty"))
    assert ablation.main(write) == 1


def test_make_knows_how() -> None:
    recipe = (ROOT / "Makefile").read_text().split("results:", 1)[1].split("\n\n")[0]
    for command in ("ablation", "figures", "report"):
        assert f"results/{command}.py --runs results/records --out results/made" in recipe
