"""The report is one file that reads well wherever it is opened."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from results.origin import BEFORE, Before, environment
from results.report import main
from tests.browser import chromium
from tests.results.helpers import finished, study, table_of, write_run

WIDTHS = (390, 1280)
"""Pixels: a phone and a laptop."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    runs = study(folder / "runs")
    (runs / "benchmark_cpu").mkdir()
    (runs / "benchmark_cpu" / "benchmark.txt").write_text("a step takes 1.4 s & more\n")
    assert main(["--runs", str(runs), "--out", str(folder)]) == 0
    return folder / "report.html"


@pytest.fixture(params=[(width, dark) for width in WIDTHS for dark in (False, True)], ids=str)
def page(request: pytest.FixtureRequest, report: Path) -> Iterator[Any]:
    width, dark = request.param
    with chromium(width, dark=dark) as opened:
        opened.get(report.as_uri())
        yield opened


def run_script(page: Any, script: str) -> Any:
    return page.execute_script(f"return {script}")


def test_page_fits_its_window_and_every_picture_loads(page: Any) -> None:
    assert run_script(page, "document.documentElement.scrollWidth <= window.innerWidth")
    images = "[...document.images].map(i => [i.complete, i.naturalWidth, i.alt.length])"
    loaded = run_script(page, images)
    assert len(loaded) == 7
    assert all(complete and width > 100 and alt > 20 for complete, width, alt in loaded)
    outside = "performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:'))"
    assert run_script(page, f"{outside}.length") == 0


def test_text_stands_out_from_its_background_and_can_be_read(page: Any) -> None:
    colours = run_script(
        page,
        "[...document.querySelectorAll('p, td, th, figcaption, small, summary, a, pre')].map(e =>"
        " [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor,"
        " parseFloat(getComputedStyle(e).fontSize)])",
    )
    assert len(colours) > 100
    for ink, paper, size in colours:
        assert contrast(ink, paper) >= 4.5
        assert size >= 11.5


def test_screen_is_light_or_dark_as_the_reader_has_it(report: Path, tmp_path: Path) -> None:
    shades = []
    for dark in (False, True):
        with chromium(390, dark=dark) as opened:
            opened.get(report.as_uri())
            path = tmp_path / f"{dark}.png"
            height = run_script(opened, "document.documentElement.scrollHeight")
            clip = {"x": 0, "y": 0, "width": 390, "height": height, "scale": 1}
            shot = opened.execute_cdp_cmd(
                "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
            )
            path.write_bytes(base64.b64decode(shot["data"]))
        # The median of all pixels is paper; a figure in the wrong theme would be a large block.
        shades.append(np.asarray(Image.open(path).convert("L"), dtype=float))
    light, dark_shades = shades
    assert np.mean(light > 200) > 0.85
    assert np.mean(dark_shades < 60) > 0.85


def test_report_prints_on_pages(report: Path) -> None:
    with chromium(1280, dark=True) as opened:
        opened.get(report.as_uri())
        printed = opened.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    content = base64.b64decode(printed["data"])
    pages = len(re.findall(rb"/Type\s*/Page\b", content))
    assert 3 <= pages <= 15


def test_report_holds_the_tables_the_figures_and_the_way_back(report: Path) -> None:
    text = report.read_text()
    for part in (
        "+ symmetric + pretraining",
        "Paired differences from Baseline",
        "Rank score of the challenge",
        "a step takes 1.4 s &amp; more",
        "python experiments/train.py with RUNS/4/config.json",
        "Environment",
        "Made by: python results/report.py",
        "0123456789",
    ):
        assert part in text, part
    assert not re.findall(r"""(?:src|href|srcset)=["'](?!data:|#)""", text)


def test_same_records_give_the_same_bytes(report: Path, tmp_path: Path) -> None:
    shutil.copytree(report.parent / "runs", tmp_path / "moved")
    assert main(["--runs", str(tmp_path / "moved"), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "report.html").read_bytes() == report.read_bytes()


def test_what_runs_say_is_text_and_never_markup(tmp_path: Path) -> None:
    finished(tmp_path / "runs", "<script>alert(1)</script>", 0.7)
    assert main(["--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]) == 0
    assert "<script" not in (tmp_path / "report.html").read_text().lower()


@pytest.mark.parametrize("kind", BEFORE, ids=lambda kind: kind.kind)
def test_row_is_repeated_from_what_it_builds_on(kind: Before, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    before = write_run(runs, "an earlier one", config={"seed": 3, "epochs": 5})
    after = finished(runs, "sym pretrain", 0.7)
    document = json.loads((after / "run.json").read_text())
    document[kind.said] = {"weights": str(before / "artifacts" / "weights.pt")}
    (after / "run.json").write_text(json.dumps(document))
    assert main(["--runs", str(runs), "--out", str(tmp_path)]) == 0
    text = (tmp_path / "report.html").read_text()
    first = text.index(f"python experiments/{kind.program} with RUNS/1/config.json<")
    name = kind.kind.upper()
    assert first < text.index(
        f"python experiments/train.py with RUNS/2/config.json {kind.entry}={name}<"
    )
    assert f"{name} is the number that the row&#x27;s {kind.kind} gets" in text


def test_runs_of_one_environment_share_a_line(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for seed, cores in enumerate((1, 1, 8)):
        folder = finished(runs, "sym", 0.7, config={"seed": seed})
        document = json.loads((folder / "run.json").read_text())
        document["host"] = {"cpu": "A CPU", "cpu_count": cores}
        (folder / "run.json").write_text(json.dumps(document))
    (grid,) = environment([table_of(runs)])
    assert [tuple(cell.text for cell in row[:3]) for row in grid.rows] == [
        ("1, 2", "2026-01-02", "A CPU (1 core)"),
        ("3", "2026-01-02", "A CPU (8 cores)"),
    ]


def test_on_paper_the_legend_is_open_and_intervals_are_smaller_than_values(report: Path) -> None:
    with chromium(1280) as opened:
        opened.get(report.as_uri())
        shown = "document.querySelector('details.printed p').checkVisibility()"
        assert not run_script(opened, shown)
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        assert run_script(opened, shown)
        sizes = (
            "['td small', 'td'].map(name => document.querySelector(name))"
            ".map(found => parseFloat(getComputedStyle(found).fontSize))"
        )
        small, usual = run_script(opened, sizes)
        assert small < usual


def test_nothing_to_report_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert "No finished run" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def contrast(ink: str, paper: str) -> float:
    """WCAG's contrast ratio of two CSS colours."""
    brighter, darker = sorted((_luminance(ink), _luminance(paper)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(part * value for part, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
