"""Run folders with small guided networks, as trainings that left out a fold leave them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from experiments.folds import provenance_of_fold
from experiments.plain import plain
from experiments.records import RunRecord, read_record
from hipreg.models import (
    Checkpoint,
    GuidedArchitecture,
    GuidedNet,
    SegmentationArchitecture,
    VelocityArchitecture,
    build_net,
    save_checkpoint,
)
from tests.experiments.test_configs import configuration

SHAPE = GuidedArchitecture(
    segmenter=SegmentationArchitecture(widths=(8, 8), blocks=(1, 0)),
    velocity=VelocityArchitecture(
        channels=(4, 4), encoder_convolutions=(1, 1), decoder_convolutions=(1, 1), features=2
    ),
)


def moving_net(seed: int = 0) -> GuidedNet:
    """A guided network whose untrained head moves by about a voxel."""
    net = build_net(SHAPE, seed=seed)
    assert isinstance(net, GuidedNet)
    torch.manual_seed(seed)
    for name, parameter in net.named_parameters():
        if name.startswith("velocity") and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return net.eval()


def trained(runs: Path, number: int, apart: Sequence[int], *, fold: int = 0) -> RunRecord:
    """A finished registration that says what it has left out."""
    folder = runs / str(number)
    (folder / "artifacts").mkdir(parents=True)
    config = plain(
        configuration("guided", dataset="synthetic_small", crop_size=32, threads=1, fold=fold)
    )
    metadata = {"dataset": config["dataset"], **provenance_of_fold(config, apart)}
    checkpoint = Checkpoint(SHAPE, moving_net(number).state_dict(), metadata)
    save_checkpoint(folder / "artifacts" / "best.pt", checkpoint)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "run.json").write_text(json.dumps({"status": "COMPLETED"}))
    return read_record(folder)
