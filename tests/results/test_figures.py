"""Figures show what the tables say, in files that are the same for the same records."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text

from pages.look import COLUMN, DARK, LIGHT, MARKERS, PAGE, SMALL, Theme
from results.drawing import curves, differences, front, wins
from results.drawing.front import pareto
from results.drawing.gallery import gallery
from results.figures import main
from results.metrics import METRICS
from tests.results.helpers import finished, rows, study, table_of, write_run

DICE = METRICS["dice"]
DRAWN = [
    "curves",
    "differences_dice",
    "differences_hd95",
    "differences_sdlogj",
    "pareto",
    "wins_dice",
    "wins_hd95",
]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("study"))


def run(runs: Path, out: Path, *more: str) -> int:
    return main(["--runs", str(runs), "--out", str(out), *more])


def test_command_writes_every_figure_as_vector_and_as_pixels(many: Path, tmp_path: Path) -> None:
    assert run(many, tmp_path) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(f"{name}.{suffix}" for name in DRAWN for suffix in ("pdf", "png"))


def test_same_records_give_the_same_bytes(many: Path, tmp_path: Path) -> None:
    run(many, tmp_path / "a")
    shutil.copytree(many, tmp_path / "moved")
    run(tmp_path / "moved", tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_files_say_what_they_were_made_from(many: Path, tmp_path: Path) -> None:
    run(many, tmp_path)
    assert b"configuration" in (tmp_path / "pareto.png").read_bytes()
    assert b"Made by: python results/figures.py" in (tmp_path / "pareto.png").read_bytes()
    assert str(tmp_path).encode() not in (tmp_path / "pareto.png").read_bytes()


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_is_readable_at_the_width_of_a_column(many: Path, theme: Theme) -> None:
    for picture in gallery(table_of(many)):
        figure = picture.draw(theme)
        assert figure is not None
        assert figure.get_figwidth() in (COLUMN, PAGE)
        shown = [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
        assert min(text.get_fontsize() for text in shown) >= SMALL


# Machado et al. (2009), full severity, in linear RGB: usual, red-, green- and blue-blind eyes.
EYES = (
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
)
TO_XYZ = np.array([[0.412, 0.358, 0.181], [0.213, 0.715, 0.072], [0.019, 0.119, 0.951]])


def as_seen(colours: Sequence[str], eye: Sequence[Sequence[float]]) -> np.ndarray:
    """(colours, 3) in CIELAB, where 2 or 3 are just a visible difference."""
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ np.array(eye).T, 0, 1) @ TO_XYZ.T / TO_XYZ.sum(1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("eye", EYES, ids=["usual", "protan", "deutan", "tritan"])
def test_first_colours_differ_for_every_eye_and_markers_for_all(theme: Theme, eye: Any) -> None:
    seen = as_seen(theme.methods[:4], eye)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1)
    assert apart[~np.eye(4, dtype=bool)].min() > 10
    assert len(set(MARKERS)) == len(MARKERS) >= len(theme.methods)


def test_every_pair_is_a_dot_and_the_diamond_is_the_difference_of_the_table(many: Path) -> None:
    table = table_of(many)
    figure = differences.differences(table, DICE, LIGHT)
    (axes,) = figure.axes
    dots = [line for line in axes.lines if len(line.get_xdata()) == 24]
    assert len(dots) == 2
    means = {float(container.lines[0].get_xdata()[0]) for container in axes.containers}
    names = ("sym", "sym pretrain")
    assert means == {table.row(name).against["dice"].difference for name in names}


def test_front_holds_what_nothing_beats() -> None:
    points = [(0.06, 0.80), (0.07, 0.83), (0.08, 0.82), (0.06, 0.79), (0.09, 0.84), (np.nan, 1.0)]
    assert pareto(points) == [(0.06, 0.80), (0.07, 0.83), (0.09, 0.84)]
    assert pareto([]) == []


def test_only_hollow_marks_that_are_there_are_told_of(tmp_path: Path, many: Path) -> None:
    finished(tmp_path / "own", "mine", 0.7)
    finished(tmp_path / "own", "yours", 0.8)
    for runs, told in ((tmp_path / "own", False), (many, True)):
        table = table_of(runs)
        drawn = front.front(table, LIGHT).axes[0].lines
        assert any(line.get_mfc() == "none" for line in drawn) == told
        assert ("hollow" in front.caption(table)) == told


def test_winner_of_a_pair_is_its_best_method_and_equal_ones_share() -> None:
    quality = np.array([[0.8, 0.7, np.nan, np.nan], [0.9, 0.7, 0.1, np.nan]])
    assert wins.winners(quality).tolist() == [
        [False, True, False, False],
        [True, True, True, False],
    ]


def test_bands_span_the_seeds(many: Path) -> None:
    row = table_of(many).row("sym")
    steps, middle, low, high = curves._over_seeds(row, "val/dice")  # type: ignore[misc]
    values = [[value for _, value in item.run.metrics["val/dice"]] for item in row.runs]
    assert steps.tolist() == list(range(1, 13))
    assert low == pytest.approx(np.min(values, axis=0))
    assert high == pytest.approx(np.max(values, axis=0))
    assert middle == pytest.approx(np.mean(values, axis=0))


def test_one_run_without_curves_still_has_figures(tmp_path: Path) -> None:
    finished(tmp_path / "runs", "quick", 0.7)
    assert run(tmp_path / "runs", tmp_path / "out") == 0
    assert not (tmp_path / "out" / "curves.png").exists()
    assert (tmp_path / "out" / "differences_dice.png").exists()


def test_infinite_and_equal_values_are_drawn(tmp_path: Path) -> None:
    finished(tmp_path / "runs", "baseline", 0.7, hd95=float("inf"))
    finished(tmp_path / "runs", "sym", 0.7)
    finished(tmp_path / "runs", "mse", 0.7, hd95=float("inf"))
    assert run(tmp_path / "runs", tmp_path / "out") == 0


def test_table_without_a_reference_has_no_differences(tmp_path: Path) -> None:
    write_run(tmp_path, "sym", tables={"val": rows(0.7)})
    table = table_of(tmp_path)
    assert table.reference is None
    assert [picture.name for picture in gallery(table)] == ["curves"]
    with pytest.raises(ValueError, match="need a reference row"):
        differences.differences(table, DICE, LIGHT)
    assert front.front(table, LIGHT) is not None


def test_nothing_to_draw_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "none", tmp_path / "out") == 1
    assert "No finished run" in capsys.readouterr().out
    finished(tmp_path / "runs", "sym", 0.7)
    assert run(tmp_path / "runs", tmp_path / "out", "--rows", "wide") == 1
    assert "error: no finished run fits" in capsys.readouterr().err


def test_pairs_are_the_worst_median_and_best_and_need_weights_and_their_data(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from results.drawing.pairs import pair_pictures, telling_pairs

    pairs = [(1, 2), (3, 4), (5, 6)]
    content = [
        one
        for pair, dice in zip(pairs, (0.7, 0.5, 0.6), strict=True)
        for one in rows(dice, pairs=[pair])
    ]
    config = {"dataset": "synthetic", "data_dir": None}
    folder = write_run(tmp_path, "sym", tables={"val": content}, config=config)
    table = table_of(tmp_path)
    chosen = telling_pairs(table.row("sym").runs[0])
    assert chosen == {"Worst": (3, 4), "Median": (5, 6), "Best": (1, 2)}
    assert pair_pictures(table) == []
    assert "its artifacts/best.pt is not here" in caplog.text
    (folder / "artifacts" / "best.pt").touch()
    assert pair_pictures(table) == []
    assert "measured on data of fingerprint f00d" in caplog.text
