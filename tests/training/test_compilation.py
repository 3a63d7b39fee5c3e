"""``torch.compile`` as an option."""

from __future__ import annotations

import logging
import shutil

import pytest
import torch
from torch import nn

from hipreg.models import build
from hipreg.training import compile_network
from tests.helpers import TINY, skip_or_fail, small_pair


def test_what_cannot_be_compiled_trains_as_it_is_after_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no compiler here\nand more of it")

    def broken(module: nn.Module) -> None:
        module._compiled_call_impl = refuse

    monkeypatch.setattr(nn.Module, "compile", broken)
    net, pair = build(TINY).train(), small_pair()
    caplog.set_level(logging.WARNING)
    assert not compile_network(net, pair.fixed, symmetric=True, precision="float32")
    (record,) = caplog.records
    assert "no compiler here" in record.message
    assert "and more" not in record.message
    assert net(pair.moving, pair.fixed).displacement.shape == (2, 3, 16, 16, 16)
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's compiler, about itself
def test_compiled_network_predicts_what_it_did() -> None:
    if shutil.which("g++") is None:
        skip_or_fail("no C++ compiler, which torch.compile needs on a CPU")
    net, pair = build(TINY).train(), small_pair()
    names = list(net.state_dict())
    expected = net.both_directions(pair.moving, pair.fixed).displacement
    assert compile_network(net, pair.fixed, symmetric=True, precision="float32")
    found = net.both_directions(pair.moving, pair.fixed).displacement
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
    assert list(net.state_dict()) == names
