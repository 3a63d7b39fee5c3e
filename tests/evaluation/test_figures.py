from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from hipreg.evaluation.figures import (
    PanelVolumes,
    learning_curves,
    pair_rows,
    registration_panel,
    save_figure,
)
from hipreg.evaluation.figures.curves import group_by_quantity
from hipreg.evaluation.figures.view import View
from tests.evaluation import reference

SIZE = (12, 14, 10)


@pytest.fixture
def volumes() -> PanelVolumes:
    rng = np.random.default_rng(0)
    fixed, moving = (ndimage.gaussian_filter(rng.random(SIZE), 1).astype("f4") for _ in range(2))
    fixed[:2], moving[:, -3:] = 0, 0
    labels = [(reference.blob(k, SIZE) * (1 + reference.blob(k + 5, SIZE))) for k in (0, 1)]
    displacement = reference.random_displacement(4, SIZE, 3.0)
    return PanelVolumes(
        fixed, moving, labels[0].astype(np.uint8), labels[1].astype(np.uint8), displacement
    )


def size_of_png(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def test_matplotlib_is_imported_only_to_draw() -> None:
    code = (
        "import sys, hipreg.evaluation, hipreg.evaluation.figures; "
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_panel_is_one_png_of_two_columns_width(tmp_path: Path, volumes: PanelVolumes) -> None:
    path = tmp_path / "panel.png"
    registration_panel(path, volumes, title="Pair", label_names={1: "anterior", 2: "posterior"})
    width, height = size_of_png(path)
    assert width == pytest.approx(1440, abs=1)
    assert 600 < height < 2400
    assert [p.name for p in tmp_path.iterdir()] == ["panel.png"]
    before = path.read_bytes()
    registration_panel(path, volumes, title="Pair", label_names={1: "anterior", 2: "posterior"})
    assert path.read_bytes() == before


def test_drawing_leaves_pyplot_alone(tmp_path: Path, volumes: PanelVolumes) -> None:
    code_free = set(sys.modules)
    registration_panel(tmp_path / "panel.png", volumes)
    learning_curves(tmp_path / "curves.png", {"loss": [(0, 1.0)]})
    assert "matplotlib.pyplot" not in set(sys.modules) - code_free


@pytest.mark.parametrize(
    "change",
    [
        {"fixed_label": np.zeros(SIZE, dtype=np.uint8)},
        {"moving_label": np.zeros(SIZE, dtype=np.uint8)},
        {"fixed": np.zeros(SIZE), "moving": np.zeros(SIZE)},
        {"displacement": np.zeros((3, *SIZE))},
        {"displacement": np.full((3, *SIZE), 90.0)},
    ],
    ids=["no fixed label", "no moving label", "empty images", "identity", "off the grid"],
)
def test_odd_pairs_can_be_drawn(
    tmp_path: Path, volumes: PanelVolumes, change: dict[str, np.ndarray]
) -> None:
    registration_panel(tmp_path / "panel.png", replace(volumes, **change))
    assert (tmp_path / "panel.png").exists()


def test_view_cuts_most_of_the_fixed_labels(volumes: PanelVolumes) -> None:
    label = np.zeros(SIZE, dtype=np.uint8)
    label[2:11, 7, 1:9] = 1
    view = View.across(replace(volumes, fixed_label=label), None)
    assert (view.axis, view.index) == (1, 7)
    assert View.across(volumes, 2).axis == 2


def test_window_holds_both_scans(volumes: PanelVolumes) -> None:
    fixed, moving = np.zeros(SIZE), np.zeros(SIZE)
    fixed[3, 4, 5] = moving[6, 9, 5] = 1
    view = View.across(replace(volumes, fixed=fixed, moving=moving), 2)
    assert view.window == (slice(3, 7), slice(4, 10))


def test_identity_leaves_the_moving_image(volumes: PanelVolumes) -> None:
    still = replace(volumes, displacement=np.zeros((3, *SIZE)))
    np.testing.assert_allclose(still.warped, volumes.moving, atol=1e-12)
    np.testing.assert_array_equal(still.warped_label, volumes.moving_label)


def test_panel_names_what_it_cannot_draw(tmp_path: Path, volumes: PanelVolumes) -> None:
    with pytest.raises(ValueError, match="moving has the shape"):
        replace(volumes, moving=volumes.moving[1:])
    with pytest.raises(ValueError, match="needs a displacement"):
        replace(volumes, displacement=volumes.displacement[:2])
    with pytest.raises(ValueError, match="got 3"):
        registration_panel(tmp_path / "panel.png", volumes, axis=3)
    with pytest.raises(ValueError, match=r"panel\.jpg"):
        registration_panel(tmp_path / "panel.jpg", volumes)
    assert not list(tmp_path.iterdir())


def test_series_of_one_quantity_share_a_chart() -> None:
    names = ["train/loss", "val/dice", "val/dice/label_1", "val/dice30", "val/loss", "val/hd95"]
    names += ["val/hd95_30", "val/sdlogj", "val/sdlogj_2020", "train/loss/lcc", "learning_rate"]
    assert group_by_quantity(dict.fromkeys(names)) == {
        "loss": ["train/loss", "val/loss", "train/loss/lcc"],
        "dice": ["val/dice", "val/dice/label_1", "val/dice30"],
        "hd95": ["val/hd95", "val/hd95_30"],
        "sdlogj": ["val/sdlogj", "val/sdlogj_2020"],
        "learning_rate": ["learning_rate"],
    }


def test_curves_are_drawn_with_gaps_and_single_points(tmp_path: Path) -> None:
    series = {
        "train/loss": [(0, 1.0), (1, 0.5)],
        "val/dice": [(1, 0.7)],
        "val/hd95": [(0, inf), (1, nan), (2, 2.0)],
        "val/folding": [(0, nan)],
    }
    learning_curves(tmp_path / "curves.png", series, title="quick")
    assert size_of_png(tmp_path / "curves.png")[0] == pytest.approx(1440, abs=1)
    with pytest.raises(ValueError, match="at least one series"):
        learning_curves(tmp_path / "none.png", {})


def test_pairs_stand_below_each_other_on_one_scale(tmp_path: Path, volumes: PanelVolumes) -> None:
    still = replace(volumes, displacement=np.zeros_like(volumes.displacement))
    figure = pair_rows([("Worst", still), ("Best", volumes)])
    images = [axes.images[0] for axes in figure.axes if axes.get_title().startswith("Log J")]
    assert len(images) == 2
    assert images[0].get_clim() == images[1].get_clim()
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == ["Worst", "Best"]
    for suffix in ("png", "pdf", "svg"):
        paths = [tmp_path / f"{name}.{suffix}" for name in "ab"]
        for path in paths:
            # Each drawing settles the layout a little further, so only new figures are equal.
            save_figure(pair_rows([("Best", volumes)]), path, "made from run 1")
        assert paths[0].read_bytes() == paths[1].read_bytes()
    with pytest.raises(ValueError, match="at least one pair"):
        pair_rows([])
    with pytest.raises(ValueError, match=r"\.png, \.pdf or \.svg"):
        save_figure(figure, tmp_path / "a.gif")
