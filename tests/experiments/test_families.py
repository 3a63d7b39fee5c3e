"""Trainings of velocity networks, with and without the guidance of predicted labels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from experiments import settings
from experiments.errors import PlainError
from experiments.segmenters import path_of
from experiments.start import start
from hipreg.models import (
    Checkpoint,
    GuidedNet,
    Kind,
    VelocityArchitecture,
    build_net,
    kinds,
    save_checkpoint,
)
from tests.experiments.test_configs import configuration
from tests.helpers import TINY, small_pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Blurs:
    """A segmentation network of one convolution a label."""

    labels: tuple[int, ...] = (1, 2)


class BlurNet(nn.Module):
    size_multiple = 1

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(1, 2, 3, padding=1)

    def probabilities(
        self, images: Tensor, *, flips: Sequence[int] = (), shifted: bool = False
    ) -> Tensor:
        found: Tensor = torch.sigmoid(self.convolution(images))
        return found


@pytest.fixture(autouse=True)
def blurs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    kind = Kind(Blurs, lambda architecture, seed=0: BlurNet())
    monkeypatch.setattr(kinds, "KINDS", dict(kinds.KINDS) | {"blurs": kind})
    return


def guided(**entries: Any) -> dict[str, Any]:
    slim = {"velocity_channels": [4, 4], "velocity_encoder": [1, 1], "velocity_decoder": [1, 1]}
    return configuration("guided", dataset="synthetic", **(slim | entries))


def segmenter(folder: Path) -> tuple[Path, BlurNet]:
    net = BlurNet()
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder / "best.pt", Checkpoint(Blurs(), net.state_dict()))
    return folder / "best.pt", net


def test_the_velocity_configuration_describes_a_velocity_network() -> None:
    config = configuration("velocity", dataset="synthetic")
    assert settings.architecture(config) == VelocityArchitecture()


def test_a_guided_training_starts_with_its_trained_segmenter(tmp_path: Path) -> None:
    path, trained = segmenter(tmp_path / "artifacts")
    for source in (path, tmp_path):
        config = guided(segmenter=str(source), segmenter_flips=[2])
        net, state = start(config, torch.device("cpu"), tmp_path)
        assert isinstance(net, GuidedNet)
        assert net.flips == (2,)
        assert net.velocity.architecture.features == 2
        loaded = net.segmenter.state_dict()
        assert all(torch.equal(loaded[k], value) for k, value in trained.state_dict().items())
        optimised = {id(p) for group in state.optimizer.param_groups for p in group["params"]}
        assert optimised == {id(p) for p in net.velocity.parameters()}


def test_a_run_of_that_number_is_a_segmenter_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter(tmp_path / "7" / "artifacts")
    monkeypatch.setenv("HIPREG_RUNS", str(tmp_path))
    assert isinstance(start(guided(segmenter=7), torch.device("cpu"), tmp_path)[0], GuidedNet)


def recorded(runs: Path, number: int, *, fold: int | None = None, **entries: Any) -> Path:
    """The folder of a run that says it is a finished segmentation of synthetic cases."""
    folder = runs / str(number)
    segmenter(folder / "artifacts")
    document = {"experiment": {"name": "segment"}, "status": "COMPLETED", **entries}
    (folder / "run.json").write_text(json.dumps(document))
    (folder / "config.json").write_text(json.dumps({"dataset": "synthetic", "fold": fold}))
    return folder / "artifacts" / "best.pt"


def test_the_newest_segmenter_is_of_a_finished_run_on_all_cases_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIPREG_RUNS", str(tmp_path))
    config = guided(segmenter="newest")
    with pytest.raises(PlainError, match=r"segment\.py with best"):
        path_of(config)
    recorded(tmp_path, 2)
    wanted = recorded(tmp_path, 10)
    recorded(tmp_path, 11, status="RUNNING")
    recorded(tmp_path, 12, experiment={"name": "hipreg"})
    recorded(tmp_path, 13, fold=1)
    (tmp_path / "14").mkdir()
    assert path_of(config) == wanted
    with pytest.raises(PlainError, match="data set hippocampus"):
        path_of(config | {"dataset": "hippocampus"})


def test_labels_may_guide_instance_optimisation_alone(tmp_path: Path) -> None:
    path, _ = segmenter(tmp_path)
    config = guided(segmenter=str(path), shown_labels=False)
    net, _ = start(config, torch.device("cpu"), tmp_path)
    assert isinstance(net, GuidedNet)
    assert net.velocity.architecture.features == 0
    pair = small_pair()
    assert net(pair.moving, pair.fixed).displacement.shape[1] == 3
    assert net.guidance(pair.moving, pair.fixed).shape[1] == 2


def test_missing_and_unsuitable_segmenters_are_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(PlainError, match="segmenter=RUN"):
        settings.architecture(guided())
    with pytest.raises(PlainError, match=r"segmenter=.*: there is no .*nowhere\.pt"):
        settings.architecture(guided(segmenter=str(tmp_path / "nowhere.pt")))
    save_checkpoint(tmp_path / "vnet.pt", Checkpoint(TINY, build_net(TINY).state_dict()))
    with pytest.raises(PlainError, match="Architecture describes no segmentation"):
        settings.architecture(guided(segmenter=str(tmp_path / "vnet.pt")))


def test_unknown_models_and_segmenters_of_the_published_one_are_refused() -> None:
    with pytest.raises(ValueError, match="model must be one of"):
        settings.architecture(configuration(dataset="synthetic", model="transformer"))
    with pytest.raises(ValueError, match="model=velocity"):
        settings.architecture(configuration(dataset="synthetic", segmenter="3"))
