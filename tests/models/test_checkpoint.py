"""Weights on disk."""

from __future__ import annotations

import pickle
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from hipreg.models import (
    Checkpoint,
    CheckpointError,
    RegistrationNet,
    build,
    initialise_from,
    load_checkpoint,
    load_net,
    save_checkpoint,
)
from tests.helpers import TINY, small_pair


def saved(path: Path, *, seed: int = 1, **changes: object) -> Path:
    architecture = replace(TINY, **changes)  # type: ignore[arg-type]
    net = build(architecture, seed=seed)
    save_checkpoint(path, Checkpoint(architecture, net.state_dict(), {"run": 3}))
    return path


def test_saved_network_predicts_the_same(tmp_path: Path) -> None:
    net = build(TINY, seed=4)
    torch.nn.init.constant_(net.decoder.head.bias, 0.1)
    save_checkpoint(tmp_path / "net.pt", Checkpoint(TINY, net.state_dict()))
    pair = small_pair()
    again = load_net(tmp_path / "net.pt")
    assert torch.equal(
        net(pair.moving, pair.fixed).displacement, again(pair.moving, pair.fixed).displacement
    )


def test_architecture_and_metadata_come_back_as_they_were(tmp_path: Path) -> None:
    found = load_checkpoint(saved(tmp_path / "net.pt"))
    assert found.architecture == TINY
    assert found.metadata == {"run": 3}


def test_file_is_loadable_as_plain_tensors(tmp_path: Path) -> None:
    content = torch.load(saved(tmp_path / "net.pt"), weights_only=True)
    assert content["architecture"] == {"kind": "vnet"} | asdict(TINY)


def test_file_from_before_there_were_kinds_is_a_vnet(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pt", seed=4)
    content = torch.load(path, weights_only=True)
    del content["architecture"]["kind"]
    torch.save(content, path)
    assert load_checkpoint(path).architecture == TINY
    assert isinstance(load_net(path), RegistrationNet)


def test_unknown_kinds_and_entries_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pt")
    content = torch.load(path, weights_only=True)
    for change, message in (
        ({"kind": "transformer"}, r"net\.pt: .*kind 'transformer', known are .*'vnet'"),
        ({"heads": 3}, r"net\.pt: .*entries .*'heads'"),
        ({"pool_blocks": 0}, r"net\.pt: .*at least 1"),
    ):
        torch.save(content | {"architecture": content["architecture"] | change}, path)
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(path)


def test_failed_write_keeps_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "net.pt")
    before = path.read_bytes()

    def full(*arguments: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="no space"):
        saved(path, seed=2)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["net.pt"]


def test_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.pt: no such checkpoint"):
        load_checkpoint(tmp_path / "nowhere.pt")


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pt")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="truncated"):
        load_checkpoint(path)


class Trap:
    """Would run code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path, ("trap",))


@pytest.mark.parametrize("content", [b"", b"nonsense", pickle.dumps(Trap())])
def test_pickles_and_garbage_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"odd\.pt"):
        load_checkpoint(path)


def test_checkpoint_of_another_program_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="expected a checkpoint of format"):
        load_checkpoint(tmp_path / "other.pt")


def test_missing_and_extra_weights_are_refused(tmp_path: Path) -> None:
    weights = dict(build(TINY).state_dict())
    weights["extra"] = weights.pop("decoder.head.bias")
    save_checkpoint(tmp_path / "net.pt", Checkpoint(TINY, weights))
    with pytest.raises(CheckpointError, match=r"decoder\.head\.bias"):
        load_net(tmp_path / "net.pt")


def test_pretrained_weights_are_all_loaded(tmp_path: Path) -> None:
    path = saved(tmp_path / "pretrained.pt", seed=9)
    net = build(TINY, seed=0)
    report = initialise_from(net, path)
    assert report.skipped == ()
    assert len(report.loaded) == len(net.state_dict())
    expected = build(TINY, seed=9).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in net.state_dict().items())


def test_heads_of_deep_supervision_may_be_missing_and_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "pretrained.pt", deep_supervision=False)
    report = initialise_from(build(TINY), path)
    assert report.skipped == tuple(
        sorted(f"decoder.coarse_heads.{i}.{part}" for i in (0, 1) for part in ("weight", "bias"))
    )


def test_pretrained_weights_of_another_width_are_refused_and_change_nothing(
    tmp_path: Path,
) -> None:
    path = saved(tmp_path / "wide.pt", channel_multiplication=1)
    net = build(TINY)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"found \(4, 1, 3, 3, 3\), expected \(2, 1, 3"):
        initialise_from(net, path)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_pretrained_weights_with_other_levels_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "deep.pt", pool_blocks=3)
    with pytest.raises(CheckpointError, match="do not fit"):
        initialise_from(build(TINY), path)
