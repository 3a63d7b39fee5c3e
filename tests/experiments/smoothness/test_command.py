"""A model registers the same pairs at several smoothness weights, each on record by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from experiments.peers.command import job_of
from experiments.peers.record import read_record
from experiments.prediction import predictions
from experiments.smoothness.command import main
from experiments.trained import trained_model
from experiments.words import run_command
from hipreg.data import CasePair, load_cohort
from hipreg.evaluation import evaluate_pair
from hipreg.models import (
    Described,
    GuidedArchitecture,
    SegmentationArchitecture,
    VelocityArchitecture,
    build_net,
    save_model,
)
from hipreg.models.checkpoint import Checkpoint
from hipreg.prediction import Refinement
from hipreg.prediction.velocity import LABELS
from tests.helpers import TINY, generator

VELOCITY = VelocityArchitecture(
    channels=(4, 4), encoder_convolutions=(1, 1), decoder_convolutions=(1, 1)
)
GUIDED = GuidedArchitecture(
    segmenter=SegmentationArchitecture(widths=(4, 4), blocks=(0, 0)), velocity=VELOCITY
)
SEEN = {"size": [32, 32, 32], "dataset": "synthetic_small", "symmetric": True}


def publish(folder: Path, name: str, shape: Described, *, steps: int) -> None:
    """A model of random weights."""
    net = build_net(shape, seed=1)
    for name_of, weight in net.named_parameters():
        if "head" in name_of and weight.dim() == 5:
            nn.init.normal_(weight, std=0.05, generator=generator(2))
    facts = {**SEEN, "lcc_window": 5, "instance_steps": steps}
    save_model(folder, name, Checkpoint(shape, net.state_dict()), facts, dtype="float32")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    publish(folder, "guided", GUIDED, steps=4)
    publish(folder, "still", VELOCITY, steps=0)
    publish(folder, "displacements", TINY, steps=4)
    return folder


@pytest.fixture(autouse=True)
def _published(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIPREG_MODELS", str(models))


def run(out: Path, *words: str) -> int:
    return run_command(main, [*words, "--threads", "1", "--out", str(out)])


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """The one error line."""
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    return line


@pytest.fixture(scope="module")
def done(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs at two factors."""
    out = tmp_path_factory.mktemp("smoothness")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIPREG_MODELS", str(models))
        assert run(out, "--model", "guided", "--factors", "1", "0.001", "--pairs", "2") == 0
    return out


def about(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_each_factor_is_a_record_with_its_weights(done: Path) -> None:
    assert sorted(path.name for path in done.glob("*.json")) == [
        "smoothness-0.001.json",
        "smoothness-1.json",
    ]
    low, usual = (about(done / f"smoothness-{factor}.json") for factor in ("0.001", "1"))
    assert usual["settings"]["goal"] == {
        "diffusion": LABELS.diffusion,
        "divergence": LABELS.divergence,
    }
    assert low["settings"]["goal"] == pytest.approx(
        {"diffusion": 1e-3 * LABELS.diffusion, "divergence": 1e-3 * LABELS.divergence}
    )
    assert low["settings"]["steps"] == usual["settings"]["steps"] == 4
    assert (low["kind"], low["settings"]["model"]) == ("model", "guided")
    assert low["commands"] == [
        "python -m experiments.smoothness --model guided --factors 1 0.001 --pairs 2 --threads 1"
    ]
    assert str(done) not in json.dumps(low)
    assert "guided by smoothness weight" in (done / "smoothness.md").read_text()


def test_factor_1_is_the_model_as_it_is(done: Path) -> None:
    record = read_record(done / "smoothness-1.json")
    model = trained_model("guided").model
    cohort = load_cohort("synthetic_small")
    assert len(record.done) == 2
    for pair in sorted(record.done):
        ((_, field),) = predictions(
            model, cohort, [pair], Refinement.of(model), torch.device("cpu")
        )
        wanted = evaluate_pair(job_of(pair, cohort, field), [1, 2])
        found = [row for row in record.rows if CasePair(row.fixed, row.moving) == pair]
        assert found == wanted


def test_heavier_weights_are_smoother_and_a_further_factor_joins_the_others(
    done: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (done / "smoothness-1.json").read_bytes()
    assert run(done, "--model", "guided", "--factors", "1000", "--pairs", "2") == 0
    assert (done / "smoothness-1.json").read_bytes() == before
    light, usual, heavy = (
        read_record(done / f"smoothness-{factor}.json") for factor in ("0.001", "1", "1000")
    )
    assert light.done == usual.done == heavy.done
    for one, other in ((light, usual), (usual, heavy)):
        pairs = zip(one.rows, other.rows, strict=True)
        assert all(first.sdlogj > second.sdlogj for first, second in pairs)
    table = capfd.readouterr().out
    assert str(done) in table
    factors = [line.split()[0] for line in table.splitlines() if line[:1].isdecimal()]
    assert factors == ["0.001", "1", "1000"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--factors", "1", "--steps", "7"], "settings.steps 4 there, 7 asked for"),
        (["--factors", "5", "--steps", "7"], "settings.steps 4 there, 7 asked for"),
        (
            ["--factors", "5", "--goal", "diffusion=2"],
            f"settings.usual_weights.diffusion {LABELS.diffusion}",
        ),
        (["--factors", "5", "--split", "selection"], "data.split 'val' there, 'selection'"),
    ],
)
def test_what_differs_in_more_than_the_factor_is_refused_by_name(
    words: list[str], expected: str, done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(done.iterdir())
    assert run(done, "--model", "guided", "--pairs", "2", *words) == 1
    message = said(capsys)
    assert expected in message
    assert "another --out" in message
    assert sorted(done.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--model", "displacements"], "--model displacements: it predicts displacements"),
        (["--model", "still"], "--model still: nothing is optimised in 0 steps"),
        (
            ["--model", "still", "--steps", "3", "--goal", "diffusion=0"],
            "--model still: diffusion and divergence weigh 0",
        ),
        (["--model", "nobody"], "no model 'nobody'"),
        (["--model", "guided", "--pairs", "0"], "--pairs is 1 to"),
        (["--model", "guided", "--threads", "0"], "--threads is at least 1, got 0"),
    ],
)
def test_what_has_no_smoothness_to_weigh_is_said_before_anything_is_written(
    words: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run_command(main, ["--threads", "1", "--out", str(out), *words]) == 1
    assert expected in said(capsys)
    assert not out.exists()


@pytest.mark.parametrize("word", ["-1", "nan", "inf", "much"])
def test_factor_is_a_number_of_at_least_0(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--model", "guided", f"--factors={word}"])
    assert f"'{word}': expected a number of at least 0" in capsys.readouterr().err


def test_records_of_other_programs_are_no_factors(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = about(done / "smoothness-1.json")
    document["settings"] = {"iterations": 3}
    (tmp_path / "demons.json").write_text(json.dumps({**document, "method": "demons"}))
    (tmp_path / "demons.csv").write_bytes((done / "smoothness-1.csv").read_bytes())
    assert run(tmp_path, "--model", "guided", "--pairs", "1") == 1
    assert "'demons' has no smoothness factor" in said(capsys)
