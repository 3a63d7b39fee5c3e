"""How much a step computes and how much memory it touches, counted rather than estimated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from hipreg.benchmark.setting import Setting
from hipreg.benchmark.steps import LEARNING_RATE, DirectStep, prepare_optimizer
from hipreg.data.batches import CaseBank
from hipreg.losses import Objective
from hipreg.types import Pair

_ALLOCATES = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided")


@dataclass(frozen=True, slots=True)
class Work:
    """What a call does.

    Attributes:
        flops: Of convolutions and matrix products; a multiplication and an addition are two.
        bytes: That all operators read and write, each of its tensors once. What stays in a cache
            between two operators is counted too, so that this can exceed what memory delivers.

    What compiled kernels (``hipreg.native``) do is not seen. It is far less than the convolutions.
    """

    flops: float
    bytes: float


def count_work(call: Callable[[], object]) -> Work:
    """Run a call once and count its work, backward passes included."""
    traffic = _Traffic()
    with FlopCounterMode(display=False) as counter, traffic:
        call()
    return Work(float(counter.get_total_flops()), float(traffic.bytes))


def count_direct_work(setting: Setting, objective: Objective) -> Work:
    """The work of the direct step, from the shapes of its tensors alone: nothing is computed."""
    mode = FakeTensorMode()
    shape = (setting.batch, 1, *setting.size)
    nothing = CaseBank((), torch.zeros(0), torch.zeros(0))
    with mode:
        images, labels = torch.zeros(shape), torch.zeros(shape, dtype=torch.uint8)
    pairs = repeat(Pair(images, images, labels, labels))
    step = DirectStep(setting, nothing, objective, batches=pairs)
    for module in step.net.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(mode.from_tensor(parameter.detach())))
    step.optimizer = torch.optim.Adam(step.net.parameters(), lr=LEARNING_RATE)
    with mode:
        prepare_optimizer(step.optimizer)
        return count_work(step)


class _Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the bytes of the tensors that operators take and return."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        result: object = func(*args, **(kwargs or {}))
        if not func.is_view and func.overloadpacket.__name__ not in _ALLOCATES:
            tensors = [x for x in tree_iter((args, kwargs, result)) if isinstance(x, Tensor)]
            self.bytes += sum(_bytes(tensor) for tensor in tensors)
        return result


def _bytes(tensor: Tensor) -> int:
    """Bytes of a tensor's own voxels; those that are repeated by a stride of 0 count once."""
    count = 1
    for length, stride in zip(tensor.shape, tensor.stride(), strict=True):
        count *= length if stride else min(length, 1)
    return count * tensor.element_size()
