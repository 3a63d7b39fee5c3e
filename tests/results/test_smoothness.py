"""One model at several smoothness weights is a table, and a line of the Pareto figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from hipreg.evaluation import LabelMetrics
from pages.look import DARK, LIGHT, SMALL, Theme
from results import figures
from results.drawing import front
from results.drawing.look import style_of
from results.peers import beside
from results.smoothness import Curve, curve_beside, load_curve, main
from tests.results.helpers import MANY, finished, rows, study, table_of, varied, write_peer

FACTORS = (0.03, 0.1, 1.0, 10.0)
LINE, FRONT = "sym, by smoothness weight", "Pareto front"


def dice_at(factor: float) -> float:
    return 0.82 - 0.01 * FACTORS.index(factor)


def measured(factor: float, pairs: Sequence[tuple[int, int]] = MANY) -> list[LabelMetrics]:
    """Less overlap and a smoother displacement the greater the factor."""
    smoothness = 0.08 / (1 + FACTORS.index(factor))
    return [
        LabelMetrics(row.fixed, row.moving, row.label, row.dice, 2.0, smoothness, 0.01, 1e-5)
        for row in rows(dice_at(factor), pairs=pairs)
    ]


def write_factor(
    folder: Path, factor: float, found: Sequence[LabelMetrics], **changes: object
) -> None:
    """A record as experiments.smoothness leaves it."""
    settings = {
        "weights": "beef",
        "model": "sym",
        "steps": 40,
        "factor": factor,
        "usual_weights": {"diffusion": 0.3, "divergence": 1.0},
        "goal": {"diffusion": 0.3 * factor, "divergence": factor},
        **changes,
    }
    words = {"title": f"sym, smoothness x {factor:g}", "kind": "model", "settings": settings}
    commands = ["python -m experiments.smoothness --model sym"]
    git = {"commit": "c0ffee", "dirty": False}
    name = f"smoothness-{factor:g}"
    write_peer(folder, name, found, **words, commands=commands, git=git)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("curve")
    for factor in FACTORS:
        write_factor(out, factor, measured(factor))
    return out


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study(tmp_path_factory.mktemp("study"))


def points(axes: Axes, label: str) -> list[tuple[float, float]]:
    """(SDlogJ, Dice) along the line whose label begins so, if there is one."""
    lines = [one for one in axes.lines if str(one.get_label()).startswith(label)]
    along = [np.asarray(line.get_xydata(), dtype=float) for line in lines]
    return [(float(x), float(y)) for line in along for x, y in line]


def entries(figure: Figure) -> list[str]:
    """What the legend says, in its order."""
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_table_has_a_line_a_factor_by_its_size(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder)]) == 0
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines() if line[:1].isdecimal()]
    assert " ".join(lines[0]) == "0.03 0.009 0.03 0.820 0.820 2.00 0.080 0.0010 2.00"
    assert [line[0] for line in lines] == ["0.03", "0.1", "1", "10"]
    written = (folder / "smoothness.md").read_text()
    assert "recorded by: python -m experiments.smoothness --model sym" in written
    assert "| 10     |         3 |         10 |  0.790 |" in written


def test_factors_are_compared_on_the_pairs_that_all_have(tmp_path: Path) -> None:
    hard = [LabelMetrics(1, 2, label, 0.1, 9.0, 0.3, 0.1, 0.0) for label in (1, 2)]
    write_factor(tmp_path, 1.0, [*measured(1.0), *hard])
    write_factor(tmp_path, 0.1, measured(0.1, MANY[:9]))
    curve = load_curve(tmp_path)
    assert curve.pairs == MANY[:9]
    values = [row.figures["dice"].value for row in curve.rows]
    assert values == pytest.approx([dice_at(0.1), dice_at(1.0)])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"weights": "f00d"}, "settings.weights 'beef' there, 'f00d'"),
        ({"steps": 80}, "settings.steps 40 there, 80"),
        ({"goal": {"diffusion": 1.0, "divergence": 1.0, "dice": 2.0}}, "settings.goal.dice None"),
        ({"goal": None}, "has no smoothness factor"),
    ],
)
def test_what_differs_in_more_than_the_factor_is_no_line(
    changes: dict[str, object],
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_factor(tmp_path, 0.1, measured(0.1))
    write_factor(tmp_path, 1.0, measured(1.0), **changes)
    assert main([str(tmp_path)]) == 1
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "smoothness.md").exists()


def test_no_records_and_no_pair_in_common_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 1
    assert "no records of python -m experiments.smoothness" in capsys.readouterr().err
    write_factor(tmp_path, 1.0, measured(1.0))
    write_factor(tmp_path, 0.1, measured(0.1, [(1, 2)]))
    assert main([str(tmp_path)]) == 1
    assert "its 2 factors have no pair in common" in capsys.readouterr().err


def test_one_factor_is_a_table_and_no_line(runs: Path, tmp_path: Path) -> None:
    write_factor(tmp_path, 3.0, measured(1.0))
    assert main([str(tmp_path)]) == 0
    assert "times 3; 24 pairs" in (tmp_path / "smoothness.md").read_text()
    with pytest.raises(ValueError, match="a line needs two factors, found smoothness-3 alone"):
        curve_beside(table_of(runs), tmp_path)


def test_line_runs_through_the_figures_of_the_table_in_its_rows_colour(
    folder: Path, runs: Path
) -> None:
    table = table_of(runs)
    curve = curve_beside(table, folder)
    (axes,) = front.front(table, LIGHT, curve=curve).axes
    wanted = [(0.08 / (1 + at), dice_at(factor)) for at, factor in enumerate(FACTORS)]
    assert points(axes, LINE) == [pytest.approx(point) for point in wanted]
    (line,) = [one for one in axes.lines if one.get_label() == LINE]
    assert line.get_color() == style_of(table, table.row("sym"), LIGHT)[0]
    assert {text.get_text() for text in axes.texts} == {"\u00d70.03", "\u00d710"}
    assert curve.told in front.caption(table, (), curve)
    # Nothing that is shown and comparable lies beyond the front.
    best = points(axes, FRONT)
    for sdlogj, dice in points(axes, LINE):
        assert any(x <= sdlogj and y >= dice for x, y in best)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_legend_has_a_column_a_group_and_nothing_in_it_touches(
    theme: Theme, folder: Path, runs: Path, tmp_path: Path
) -> None:
    table = table_of(runs)
    write_peer(tmp_path, "demons", varied(0.7), title="Short")
    write_peer(tmp_path, "elastix", varied(0.7), title="elastix with a name of some length")
    peers = beside(table, tmp_path)
    figure = front.front(table, theme, peers, curve_beside(table, folder))
    ours = ["Ours", "Baseline", "+ symmetric", "+ symmetric + pretraining", LINE, FRONT]
    others = ["Other programs", "Short", "", "", "", ""]
    assert [text.split("\n")[0] for text in entries(figure)[:6]] == ours
    others[2:3] = ["elastix with a name of some"]
    assert [text.split("\n")[0] for text in entries(figure)[6:]] == others[:6]
    figure.draw_without_rendering()
    (legend,) = figure.legends
    boxes = [text.get_window_extent() for text in legend.get_texts() if text.get_text()]
    boxes.append(figure.axes[0].get_window_extent())
    for at, box in enumerate(boxes):
        assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[:at])
    shown = [text for text in figure.findobj(Text) if text.get_text().strip()]
    assert min(float(text.get_fontsize()) for text in shown) >= SMALL


def test_line_of_fewer_pairs_says_so_and_is_not_on_the_front(runs: Path, tmp_path: Path) -> None:
    for factor in FACTORS:
        write_factor(tmp_path, factor, measured(factor, MANY[:5]))
    table = table_of(runs)
    curve = curve_beside(table, tmp_path)
    figure = front.front(table, LIGHT, curve=curve)
    assert f"{LINE}\n(5\u00a0pairs)" in entries(figure)
    without = front.front(table, LIGHT)
    assert points(figure.axes[0], FRONT) == points(without.axes[0], FRONT)


def test_line_of_other_data_or_of_no_row_is_told_apart(
    runs: Path, folder: Path, tmp_path: Path
) -> None:
    table = table_of(runs)
    for factor in FACTORS[:2]:
        write_factor(tmp_path / "pairs", factor, measured(factor, [(1, 2)]))
        write_factor(tmp_path / "model", factor, measured(factor), model="run-7")
    with pytest.raises(ValueError, match="1 pairs that they lack"):
        curve_beside(table, tmp_path / "pairs")
    curve: Curve = curve_beside(table, tmp_path / "model")
    (axes,) = front.front(table, LIGHT, curve=curve).axes
    (line,) = [one for one in axes.lines if str(one.get_label()).startswith("run-7")]
    assert line.get_color() == LIGHT.ink


def test_figures_command_draws_it_and_keeps_what_it_was_made_from(
    folder: Path, tmp_path: Path
) -> None:
    finished(tmp_path / "runs", "sym", 0.8, pairs=MANY)
    words = ["--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]
    assert figures.main([*words, "--smoothness", str(folder)]) == 0
    content = (tmp_path / "pareto.png").read_bytes()
    assert b"recorded by: python -m experiments.smoothness --model sym" in content
    assert b"recorded by" not in (tmp_path / "wins_dice.png").read_bytes()
    assert figures.main([*words, "--smoothness", str(tmp_path / "nowhere")]) == 1
