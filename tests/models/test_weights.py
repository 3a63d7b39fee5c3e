"""Published weights: by name, whole, unaltered, and of this program."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import hipreg
from hipreg.models import (
    Checkpoint,
    CheckpointError,
    build,
    known_models,
    load_model,
    save_checkpoint,
    save_model,
)
from hipreg.models import weights as weights_module
from tests.helpers import TINY, generator, small_pair

FACTS: dict[str, Any] = {
    "size": [16, 16, 16],
    "dataset": "synthetic",
    "symmetric": True,
    "lcc_window": 7,
}


def checkpoint(seed: int = 3) -> Checkpoint:
    net = build(TINY, seed=seed)
    torch.nn.init.normal_(net.decoder.head.weight, std=0.1, generator=generator())
    return Checkpoint(TINY, net.state_dict())


def published(folder: Path, name: str = "sym", *, dtype: str = "float32") -> Path:
    save_model(folder, name, checkpoint(), FACTS, dtype=dtype)
    return folder / f"{name}.safetensors"


def verified_anyway(path: Path) -> None:
    """Make the card vouch for whatever the file holds now."""
    card = json.loads(path.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(card))


def test_model_is_loaded_by_name_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = checkpoint()
    save_model(tmp_path, "sym", wanted, FACTS, dtype="float32")
    monkeypatch.setenv("HIPREG_MODELS", str(tmp_path))
    model = hipreg.load("sym")
    assert (model.name, model.size, model.symmetric, model.lcc_window) == (
        "sym",
        (16, 16, 16),
        True,
        7,
    )
    for name, value in model.net.state_dict().items():
        assert torch.equal(value, wanted.weights[name])
    assert not model.net.training
    assert known_models() == ["sym"]


def test_half_precision_takes_half_the_bytes_and_predicts_nearly_the_same(tmp_path: Path) -> None:
    whole, half = published(tmp_path), published(tmp_path, "half", dtype="float16")
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    pair = small_pair(1)
    nets = [load_model(path).net for path in (whole, half)]
    with torch.no_grad():
        first, second = (net(pair.moving, pair.fixed).displacement for net in nets)
    assert first.abs().max() > 0.2
    torch.testing.assert_close(first, second, atol=0.02, rtol=0)


def test_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    published(tmp_path, "baseline")
    with pytest.raises(CheckpointError, match=r"no model 'sym': there are baseline in "):
        load_model("sym", tmp_path)
    with pytest.raises(CheckpointError, match="there are none"):
        load_model("sym", tmp_path / "nowhere")


def test_altered_and_truncated_weights_are_refused_by_their_hash(tmp_path: Path) -> None:
    path = published(tmp_path)
    content = path.read_bytes()
    for changed in (content[:-100], content[:-1] + b"\x01", b""):
        path.write_bytes(changed)
        with pytest.raises(CheckpointError, match=r"sym\.safetensors: has \d+ bytes of hash"):
            load_model(path)


def test_truncated_weights_are_refused_even_with_a_fitting_hash(tmp_path: Path) -> None:
    path = published(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    verified_anyway(path)
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load_model(path)


def test_pickle_under_the_name_of_weights_is_never_opened(tmp_path: Path) -> None:
    path = published(tmp_path)
    path.write_bytes(pickle.dumps({"weights": 1}))
    verified_anyway(path)
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load_model(path)


def test_weights_of_another_program_are_refused(tmp_path: Path) -> None:
    path = published(tmp_path)
    safetensors.torch.save_file({"layer.weight": torch.zeros(3)}, path)
    verified_anyway(path)
    with pytest.raises(CheckpointError, match="another program"):
        load_model(path)


def test_weights_of_another_width_than_they_say_are_refused(tmp_path: Path) -> None:
    path = published(tmp_path)
    wide = build(replace(TINY, channel_multiplication=1))
    save_model(tmp_path, "sym", Checkpoint(TINY, wide.state_dict()), FACTS, dtype="float32")
    with pytest.raises(CheckpointError, match="size mismatch"):
        load_model(path)


def test_checkpoint_of_another_width_than_it_says_is_refused(tmp_path: Path) -> None:
    wide = build(replace(TINY, channel_multiplication=1))
    save_checkpoint(tmp_path / "net.pt", Checkpoint(TINY, wide.state_dict()))
    with pytest.raises(CheckpointError, match=r"(?s)net\.pt: .*size mismatch"):
        load_model(tmp_path / "net.pt")


def test_weights_without_or_with_a_foreign_card_are_refused(tmp_path: Path) -> None:
    path = published(tmp_path)
    path.with_suffix(".json").write_text('{"name": "sym"}')
    with pytest.raises(CheckpointError, match="no model card of hipreg, it lacks bytes"):
        load_model(path)
    path.with_suffix(".json").write_text("{")
    with pytest.raises(CheckpointError, match="no readable model card"):
        load_model(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match=r"its card sym\.json is missing"):
        load_model(path)


def test_bare_checkpoint_is_a_model_of_its_data_sets_grid(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "best.pt", replace(checkpoint(), metadata={"dataset": "synthetic"}))
    model = load_model(tmp_path / "best.pt")
    assert model.size == (64, 64, 64)
    assert model.card == {}


def test_too_large_and_impossible_models_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, dtype, said in (
        ("a/b", "float32", "letters, digits"),
        ("", "float32", "letters, digits"),
        ("sym", "int8", "float32 or float16"),
    ):
        with pytest.raises(ValueError, match=said):
            save_model(tmp_path, name, checkpoint(), FACTS, dtype=dtype)
    broken = {key: value * torch.inf for key, value in checkpoint().weights.items()}
    with pytest.raises(ValueError, match="not finite"):
        save_model(tmp_path, "sym", Checkpoint(TINY, broken), FACTS, dtype="float32")
    monkeypatch.setattr(weights_module, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="store float16"):
        save_model(tmp_path, "sym", checkpoint(), FACTS, dtype="float32")
    assert list(tmp_path.iterdir()) == []
