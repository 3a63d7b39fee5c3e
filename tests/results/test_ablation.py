"""The command prints tables and writes them in formats that agree."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from results.ablation import main
from results.formats import FORMATS
from tests.helpers import skip_or_fail
from tests.results.helpers import finished, study, varied, write_run

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = ("md", "tex", "csv", "json", "html")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    finished(tmp_path / "runs", "baseline", 0.75, hd95=float("inf"))
    finished(tmp_path / "runs", "no_dice mse", 0.6)
    finished(tmp_path / "runs", "sym", 0.6, config={"dataset": "synthetic"})
    return tmp_path / "runs"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("study"))


def run(runs: Path, out: Path, *more: str) -> int:
    return main(["--runs", str(runs), "--out", str(out), *more])


def csv_lines(path: Path) -> list[dict[str, str]]:
    lines = path.read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def test_table_is_printed_with_the_paths_of_all_that_was_written(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(runs, tmp_path / "out") == 0
    printed = capsys.readouterr().out
    header = next(line for line in printed.splitlines() if line.startswith("Method"))
    heads = re.split(r"\s{2,}", header)
    assert heads[:5] == ["Method", "Dice \u2191", "paper", "Dice30 \u2191", "paper"]
    assert re.search(r"Baseline +0\.750 \u00b1 0\.000\* +0\.796 ", printed)
    assert "inf" in printed
    assert tuple(FORMATS) == SUFFIXES
    for suffix in SUFFIXES:
        path = tmp_path / "out" / f"ablation.{suffix}"
        assert f"Wrote {path}" in printed
        assert path.exists()


def test_lines_of_a_printed_table_are_as_wide_as_its_rule(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(many, tmp_path) == 0
    for block in capsys.readouterr().out.split("\n\n"):
        rules = [line for line in block.splitlines() if line.startswith("\u2500")]
        if rules:
            assert len(set(map(len, rules))) == 1
            assert max(map(len, block.splitlines()[1:])) == len(rules[0])


def test_every_file_names_its_command_runs_code_and_data(runs: Path, tmp_path: Path) -> None:
    run(runs, tmp_path, "--metrics", "dice", "hd95", "--seeds", "0", "--dataset", "hippocampus")
    assert not (tmp_path / "ablation.md").exists()
    run(runs, tmp_path, "--metrics", "dice", "hd95")
    for suffix in SUFFIXES:
        text = (tmp_path / f"ablation.{suffix}").read_text()
        assert "Made by: python results/ablation.py --metrics dice hd95" in text
        assert str(runs) not in text
        assert "fingerprint f00d" in text
        assert "Runs: 1, 2" in text
        assert re.search(
            r"run 1: baseline, seed None, configuration \w{10}, code 0123456789", text
        )


def test_same_records_give_the_same_bytes(many: Path, tmp_path: Path) -> None:
    run(many, tmp_path / "a", "--tidy", str(tmp_path / "a" / "tidy.csv"))
    shutil.copytree(many, tmp_path / "moved")
    run(tmp_path / "moved", tmp_path / "b", "--tidy", str(tmp_path / "b" / "tidy.csv"))
    made = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert made == [*sorted(f"ablation.{suffix}" for suffix in SUFFIXES), "tidy.csv"]
    for name in made:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_csv_keeps_full_precision(runs: Path, tmp_path: Path) -> None:
    run(runs, tmp_path)
    entries = csv_lines(tmp_path / "ablation.csv")
    named = {(e["dataset"], e["name"], e["metric"]): e for e in entries}
    baseline = named["hippocampus", "baseline", "dice"]
    assert float(baseline["value"]) == pytest.approx(0.75, abs=1e-12)
    assert baseline["published"] == "0.796"
    assert float(named["hippocampus", "baseline", "hd95"]["value"]) == float("inf")
    other = named["hippocampus", "no_dice mse", "dice"]
    assert (other["reference"], other["against_n"]) == ("baseline", "2")
    assert {entry["dataset"] for entry in entries} == {"hippocampus", "synthetic"}


def test_csv_json_and_html_say_the_same(many: Path, tmp_path: Path) -> None:
    run(many, tmp_path)
    (table,) = json.loads((tmp_path / "ablation.json").read_text())["tables"]
    rows = {row["name"]: row for row in table["rows"]}
    for entry in csv_lines(tmp_path / "ablation.csv"):
        figures = rows[entry["name"]]["figures"].get(entry["metric"])
        assert (figures is None) == (entry["value"] == "")
        if figures is not None:
            assert float(entry["value"]) == figures["value"]
    page = (tmp_path / "ablation.html").read_text()
    assert f"{rows['sym']['figures']['dice']['value']:.3f} \u00b1" in page
    assert [scores["test"] for scores in table["rank_scores"]] == ["rank-sum", "signed-rank"]


def test_best_is_bold_and_the_second_underlined(many: Path, tmp_path: Path) -> None:
    run(many, tmp_path, "--metrics", "dice", "sdlogj")
    tex = (tmp_path / "ablation.tex").read_text()
    pretrained = next(line for line in tex.splitlines() if line.startswith("+ symmetric + pre"))
    symmetric = next(line for line in tex.splitlines() if line.startswith("+ symmetric &"))
    assert pretrained.split(" & ")[1].startswith(r"\textbf{0.8")
    assert symmetric.split(" & ")[1].startswith(r"\underline{0.")
    # No registration is smooth without having done anything.
    unregistered = next(line for line in tex.splitlines() if line.startswith("Unregistered"))
    assert r"\textbf" not in unregistered


def test_markdown_rows_have_as_many_cells_as_their_header(runs: Path, tmp_path: Path) -> None:
    run(runs, tmp_path)
    blocks = re.findall(r"(?:^\|.*\|\n)+", (tmp_path / "ablation.md").read_text(), re.MULTILINE)
    assert len(blocks) == 6
    for block in blocks:
        assert len({line.count("|") for line in block.splitlines()}) == 1


class Nesting(HTMLParser):
    """Checks that what is opened is closed in turn, and that nothing is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br", "img"):
            self.open.append(tag)
        self.cells += [0] if tag == "tr" else []
        if tag in ("td", "th"):
            self.cells[-1] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_well_formed_and_loads_nothing(runs: Path, tmp_path: Path) -> None:
    run(runs, tmp_path)
    parser = Nesting()
    parser.feed((tmp_path / "ablation.html").read_text())
    assert parser.open == []
    assert len(parser.cells) > 10


def test_latex_escapes_names_and_balances_its_columns(runs: Path, tmp_path: Path) -> None:
    run(runs, tmp_path)
    text = (tmp_path / "ablation.tex").read_text()
    assert r"No\_dice mse" in text
    assert r"$\infty$" in text
    for tabular in re.findall(r"\\begin\{tabular\}\{(l r*|lr*)\}(.*?)\\end", text, re.DOTALL):
        columns, body = tabular
        lines = [line for line in body.splitlines() if r"\\" in line]
        assert {line.count(" & ") for line in lines} == {len(columns) - 1}


def test_latex_compiles(runs: Path, many: Path, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        skip_or_fail("pdflatex is not installed")
    run(runs, tmp_path / "few", "--per-label")
    run(many, tmp_path / "many")
    document = (
        r"\documentclass{article}\usepackage{booktabs}\usepackage[landscape]{geometry}"
        r"\begin{document}\tiny\input{few/ablation.tex}\input{many/ablation.tex}\end{document}"
    )
    (tmp_path / "main.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_any_ablation_is_made_from_queries(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        "--rows",
        "One way: symmetric=false",
        "Both ways: name=sym",
        "--reference",
        "both ways",
    ]
    assert run(many, tmp_path, *rows, "--metrics", "dice", "--seeds", "0", "1") == 0
    entries = {entry["name"]: entry for entry in csv_lines(tmp_path / "ablation.csv")}
    assert entries["One way"]["runs"] == "1 2"
    assert entries["One way"]["reference"] == "Both ways"
    assert run(many, tmp_path, "--by", "symmetric", "--ids", "1", "2", "4") == 0
    assert "symmetric=true" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "wide"], "no finished run fits the row 'wide'"),
        (["--metrics", "iou"], "unknown metric 'iou'"),
        (["--metrics", "dice", "dice"], "got twice: dice"),
        (["--where", "epochs"], "a condition is"),
        (["--by", "depth"], "no run has the configuration entry depth"),
        (["--reference", "wide"], "no row with figures"),
        (["--explain", "wide", "dice"], "there is no row 'wide'"),
        (["--explain", "sym", "iou"], "there is no column 'iou'"),
        (["--explain", "test set", "dice"], "0.85 is the published figure"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(
    many: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert run(many, tmp_path, *arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("column", ["dice", "Dice30 (hardest)", "sdlogj"])
def test_number_is_explained_by_its_runs_and_pairs(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str
) -> None:
    metrics = ["--metrics", "dice", "dice30_hard", "sdlogj"]
    assert run(many, tmp_path, *metrics, "--explain", "sym", column) == 0
    text = capsys.readouterr().out
    assert text.count("\nRun ") == 3
    lines = [line.split() for line in text.splitlines() if re.match(r" +1\d\d +2\d\d ", line)]
    assert len(lines) == 24
    value = float(re.search(r": ([\d.]+)\n", text).group(1))  # type: ignore[union-attr]
    if column != "Dice30 (hardest)":
        mean = sum(float(line[2]) for line in lines) / len(lines)
        assert mean == pytest.approx(value, abs=1e-5)


def test_two_thousand_runs_are_read_in_seconds(tmp_path: Path) -> None:
    pairs = tuple((i, i + 1) for i in range(60))
    tables = {"val": varied(0.8, pairs=pairs), "unregistered": varied(0.5, pairs=pairs)}
    first = write_run(tmp_path / "runs", "sym", tables=tables, config={"seed": 0})
    head, *lines = (first / "artifacts" / "pairs_val.csv").read_text().splitlines()
    for seed in range(1, 2000):
        folder = tmp_path / "runs" / str(seed + 1)
        shutil.copytree(first, folder)
        (folder / "config.json").write_text(
            f'{{"name": "sym", "dataset": "hippocampus", "seed": {seed}}}'
        )
        # No two runs' files are the same, or reading one would do for all.
        turned = [*lines[seed % 120 :], *lines[: seed % 120]]
        turned[0] = turned[0].replace(",0.", f",0.{seed}", 1)
        table = "\n".join([head, *turned, ""])
        (folder / "artifacts" / "pairs_val.csv").write_text(table)
    start = time.process_time()
    assert run(tmp_path / "runs", tmp_path / "out", "--format", "md") == 0
    # Of the processor, so that what else the machine does is not measured.
    assert time.process_time() - start < 15
    assert " 1-2000 |" in (tmp_path / "out" / "ablation.md").read_text()


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
    assert run(tmp_path / "runs", tmp_path) == 1
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
