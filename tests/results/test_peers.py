"""Other programs stand beside our rows: same pairs, same statistics, nothing mixed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pages.look import LIGHT
from results import figures
from results.drawing.front import front
from results.peers import all_grids, beside, load_peers, main
from tests.results.helpers import MANY, rows, study, table_of, varied, write_peer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    out = tmp_path / "peers"
    write_peer(out, "sym", varied(0.80, seed=1))
    write_peer(out, "identity", varied(0.55, seed=2), settings={})
    return write_peer(out, "ants", varied(0.78, seed=3, pairs=MANY)[:24])


def texts(grid: object) -> list[list[str]]:
    return [[cell.text for cell in row] for row in grid.rows]  # type: ignore[attr-defined]


def test_methods_stand_in_one_order_with_costs_and_labels(folder: Path) -> None:
    first, *_ = all_grids(load_peers(folder), "sym")
    assert first.heads[-4:] == ("Labels", "Pairs", "s/pair", "CPU s")
    assert [[row[0], *row[-4:]] for row in texts(first)] == [
        ["Identity", "none", "24", "1.00", "2.00"],
        ["Ants", "none", "12", "1.00", "2.00"],
        ["Sym", "in training", "24", "1.00", "2.00"],
    ]


def test_figures_of_different_pairs_are_not_ranked(folder: Path) -> None:
    own, same, differences = all_grids(load_peers(folder), "sym")
    assert own.title.endswith("each on its own")
    assert {cell.mark for row in own.rows for cell in row} == {""}
    assert same.title == "The 12 pairs that all have registered"
    assert {row[-3] for row in texts(same)} == {"12"}
    assert any(cell.mark == "best" for row in same.rows for cell in row)
    assert {row[-1] for row in texts(differences) if row[0] == "Ants"} == {"12"}
    assert {row[-1] for row in texts(differences) if row[0] == "Identity"} == {"24"}


def test_difference_is_the_peer_less_ours_pair_by_pair(tmp_path: Path) -> None:
    pairs = MANY[:8]
    write_peer(tmp_path, "sym", rows(0.80, pairs=pairs))
    write_peer(tmp_path, "demons", rows(0.75, pairs=pairs[2:], hd95=3.0))
    *_, differences = all_grids(load_peers(tmp_path), "sym")
    found = {(row[0], row[1][:4]): row for row in texts(differences)}
    assert found["Demons", "Dice"][2] == "\u22120.050"
    assert found["Demons", "HD95"][2] == "+1.00"
    # Six equal differences of one sign: 2 of the 64 ways of signs are as far out.
    assert found["Demons", "HD95"][4] == f"{2 / 64:.4f}"
    # Two tests have a p, of Dice and HD95: Holm doubles the smaller.
    assert found["Demons", "HD95"][5] == f"{4 / 64:.4f}"


def test_other_data_are_not_mixed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = {"dataset": "hippocampus", "fingerprint": "beef", "split": "val"}
    write_peer(folder, "elastix", varied(0.7), data=data)
    assert main([str(folder)]) == 1
    assert "data fingerprint f00d against beef" in capsys.readouterr().err


def test_command_prints_and_keeps_the_tables(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder), "--reference", "sym"]) == 0
    printed = capsys.readouterr().out
    written = (folder / "peers.md").read_text()
    for text in (printed, written):
        assert "Paired differences from Sym" in text
        assert "strength 3" in text
        assert "1 thread of a processor" in text
    assert "Recorded by: python -m experiments.peers ants" in written
    assert main([str(folder), "--reference", "sym"]) == 0
    assert (folder / "peers.md").read_text() == written


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["nowhere"], "no records of python -m experiments.peers"), ([], "there is no row 'nobody'")],
)
def test_what_cannot_be_shown_is_said(
    words: list[str], expected: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*(words or [str(folder)]), "--reference", "nobody"]) == 1
    assert expected in capsys.readouterr().err


def test_peers_are_points_of_the_pareto_figure(folder: Path, tmp_path: Path) -> None:
    table = table_of(study(tmp_path / "runs"))
    peers = beside(table, folder)
    # Our own model and no registration have points, or none, already.
    assert [row.method for row in peers] == ["Ants (12 pairs)"]
    drawn = front(table, LIGHT, peers)
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert "Ants (12 pairs)" in labels
    without = [text.get_text() for text in front(table, LIGHT).legends[0].get_texts()]
    assert set(without) < set(labels)
    (pareto,) = [p for p in figures.pictures(table, False, peers) if p.name == "pareto"]
    assert "other programs on the same pairs" in pareto.caption


def test_peers_of_other_data_are_no_points(folder: Path, tmp_path: Path) -> None:
    table = table_of(study(tmp_path / "runs"))
    write_peer(tmp_path / "other", "ants", rows(0.7))
    with pytest.raises(ValueError, match="2 pairs that they lack"):
        beside(table, tmp_path / "other")
