"""The command prints the table and writes it in three formats that agree."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from results.ablation import main
from tests.helpers import skip_or_fail
from tests.results.helpers import finished

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    finished(tmp_path / "runs", "baseline", 0.75, hd95=float("inf"))
    finished(tmp_path / "runs", "no_dice mse", 0.6)
    finished(tmp_path / "runs", "sym", 0.6, config={"dataset": "synthetic"})
    return tmp_path / "runs"


def run(runs: Path, out: Path, *more: str) -> int:
    return main(["--runs", str(runs), "--out", str(out), *more])


def test_table_is_printed_with_the_paths_of_all_that_was_written(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(runs, tmp_path / "out") == 0
    printed = capsys.readouterr().out
    header = next(line for line in printed.splitlines() if line.startswith("| Method"))
    columns = [cell.strip() for cell in header.strip("|").split("|")]
    assert columns[:5] == ["Method", "Dice", "Dice30", "HD95", "Jacobian"]
    assert "| Baseline " in printed
    assert " 0.750 " in printed
    assert "inf" in printed
    for suffix in ("md", "csv", "tex"):
        path = tmp_path / "out" / f"ablation.{suffix}"
        assert f"Wrote {path}" in printed
        assert path.exists()


def test_every_file_names_its_command_runs_code_and_data(runs: Path, tmp_path: Path) -> None:
    run(runs, tmp_path)
    for suffix in ("md", "csv", "tex"):
        head = (tmp_path / f"ablation.{suffix}").read_text()
        assert "Made by: python results/ablation.py\n" in head
        assert "fingerprint f00d" in head
        assert "Runs: 1, 2\n" in head
        assert "run 1: 0123456789" in head


def test_same_records_give_the_same_bytes(runs: Path, tmp_path: Path) -> None:
    run(runs, tmp_path / "a")
    run(runs, tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_csv_keeps_full_precision(runs: Path, tmp_path: Path) -> None:
    run(runs, tmp_path)
    lines = (tmp_path / "ablation.csv").read_text().splitlines()
    entries = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    (baseline,) = [entry for entry in entries if entry["name"] == "baseline"]
    assert float(baseline["dice"]) == pytest.approx(0.75, abs=1e-12)
    assert float(baseline["hd95"]) == float("inf")
    assert baseline["published_dice"] == "0.796"
    assert {entry["dataset"] for entry in entries} == {"hippocampus", "synthetic"}


def test_markdown_rows_have_as_many_cells_as_their_header(runs: Path, tmp_path: Path) -> None:
    run(runs, tmp_path)
    blocks = re.findall(r"(?:^\|.*\|\n)+", (tmp_path / "ablation.md").read_text(), re.MULTILINE)
    assert len(blocks) == 2
    for block in blocks:
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_latex_escapes_names_and_balances_its_columns(runs: Path, tmp_path: Path) -> None:
    run(runs, tmp_path)
    text = (tmp_path / "ablation.tex").read_text()
    assert r"No\_dice mse" in text
    assert r"$\infty$" in text
    body = [line for line in text.splitlines() if line.endswith(r"\\") and "column" not in line]
    assert {line.count(" & ") for line in body} == {9}


def test_latex_compiles(runs: Path, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        skip_or_fail("pdflatex is not installed")
    run(runs, tmp_path)
    document = (
        r"\documentclass{article}\usepackage{booktabs}\begin{document}"
        r"\input{ablation.tex}\end{document}"
    )
    (tmp_path / "main.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_without_a_finished_run_it_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path / "none", tmp_path / "out") == 1
    assert "python experiments/train.py with quick" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_runs_that_are_no_folder_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(SystemExit):
        run(tmp_path / "runs", tmp_path)
    assert "--runs needs a folder" in capsys.readouterr().err


def test_command_works_as_a_file_and_as_a_module_from_any_folder(
    runs: Path, tmp_path: Path
) -> None:
    arguments = ["--runs", str(runs), "--out", str(tmp_path / "out")]
    script = [sys.executable, str(ROOT / "results" / "ablation.py"), *arguments]
    module = [sys.executable, "-m", "results.ablation", *arguments]
    as_file = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=True)
    as_module = subprocess.run(module, cwd=ROOT, capture_output=True, text=True, check=True)
    assert as_file.stdout == as_module.stdout
