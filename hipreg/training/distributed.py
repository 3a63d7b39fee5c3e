"""Several processes that train one network together, each on its share of every batch.

Gradients are summed here, and not by DistributedDataParallel: that one hooks into ``forward``
alone, while symmetric training calls ``both_directions``; and it takes the plain mean over the
processes, while the shares of a batch may differ and some may be empty. Weighted by their pairs,
the shares give what one process gives on the whole batch.

Everything here does nothing where torch.distributed is not initialised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from hipreg.losses import Loss

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others: longer than any evaluation, shorter than a night."""


class LostProcessError(RuntimeError):
    """Another process of the training ended or cannot be reached."""


@dataclass(frozen=True, slots=True)
class Team:
    """The processes of a training, as one of them sees it.

    Attributes:
        rank: Number of this process; 0 leads: it evaluates and records.
        size: Number of processes.
        local_rank: Number of this process on its machine.
        local_size: Number of processes on its machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @staticmethod
    def launched(environment: Mapping[str, str]) -> Team:
        """The team that torchrun describes in the environment; one process without it."""
        return Team(
            rank=int(environment.get("RANK", 0)),
            size=int(environment.get("WORLD_SIZE", 1)),
            local_rank=int(environment.get("LOCAL_RANK", 0)),
            local_size=int(environment.get("LOCAL_WORLD_SIZE", 1)),
        )

    @property
    def leads(self) -> bool:
        """Whether this process evaluates and records."""
        return self.rank == 0

    def share(self, pairs: int) -> slice:
        """Which pairs of a batch are this process's; none where there are too few."""
        return slice(pairs * self.rank // self.size, pairs * (self.rank + 1) // self.size)

    def device(self, wanted: torch.device) -> torch.device:
        """The device of this process: each process of a machine has a GPU of its own.

        Raises:
            ValueError: If several processes are to share a GPU.
        """
        if self.size == 1 or wanted.type != "cuda":
            return wanted
        found = torch.cuda.device_count()
        if str(wanted) != "cuda" or self.local_size > found:
            raise ValueError(
                f"each of {self.local_size} processes needs a GPU of its own: got "
                f"device={wanted} and {found} GPUs, wanted device=cuda and at most one process "
                "a GPU"
            )
        return torch.device("cuda", self.local_rank)


ALONE = Team()


def connected() -> bool:
    """Whether this process trains together with others."""
    return dist.is_available() and dist.is_initialized()


def connect(team: Team) -> None:
    """Meet the other processes where torchrun says; nothing for a team of one.

    Tensors on the CPU travel by gloo and those on a GPU by NCCL: a process that waits for an
    evaluation waits by gloo, where it costs nothing and the end of a process is noticed at once.

    Raises:
        LostProcessError: If they do not come.
    """
    if team.size > 1:
        with _together():
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE
            )


def disconnect() -> None:
    """Part from the other processes, once nothing is left to share.

    Not for the way out of an error: there, it could wait for a process that is gone.
    """
    if connected():
        dist.destroy_process_group()


def meet() -> None:
    """Wait until every process is here.

    Raises:
        LostProcessError: If one does not come.
    """
    if connected():
        _sum(torch.zeros(1))


def word_of_leader(flag: bool) -> bool:
    """What the leading process says, whatever the others think."""
    if not connected():
        return flag
    said = torch.tensor([float(flag)])
    with _together():
        dist.broadcast(said, src=0)
    return bool(said.item())


def share_weights(net: nn.Module) -> None:
    """Give every process the weights of the leading one.

    Raises:
        LostProcessError: If a process is gone.
    """
    if not connected():
        return
    for value in net.state_dict().values():
        whole = value.contiguous()
        with _together():
            dist.broadcast(whole, src=0)
        value.copy_(whole)


def refuse_batch_norm(net: nn.Module) -> None:
    """Refuse a network that is not the same on the shares of a batch as on the whole.

    Raises:
        ValueError: If it normalises over the batch, and several processes train it.
    """
    norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    if connected() and any(isinstance(module, norms) for module in net.modules()):
        raise ValueError(
            "batch norm takes its statistics over the batch, which several processes do not "
            "share: use instance norm or none, or one process"
        )


def share_step(parameters: Sequence[nn.Parameter], loss: Loss, *, pairs: int) -> Loss:
    """Turn the gradients and the loss of one share into those of the whole batch.

    All travel in one bucket, weighted by the pairs of their share, with the number of pairs at
    its end: no process needs to know the shares of the others.

    Args:
        parameters: Whose ``grad`` is replaced; the same in every process.
        loss: Of this process's share.
        pairs: In this process's share; may be 0.

    Returns:
        The loss of the whole batch, detached.

    Raises:
        LostProcessError: If a process is gone.
    """
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    names, values = ["", *loss.terms], [loss.total.detach(), *loss.terms.values()]
    ends = torch.stack([*values, torch.ones_like(loss.total)])
    bucket = torch.cat([*(gradient.flatten() for gradient in gradients), ends]).mul_(pairs)
    _sum(bucket)
    means = bucket[:-1] / bucket[-1]
    sizes = [*(p.numel() for p in parameters), len(values)]
    *shared, totals = torch.split(means, sizes)
    for parameter, gradient, mean in zip(parameters, gradients, shared, strict=True):
        # Into the old gradient, which may have another memory format.
        parameter.grad = gradient.copy_(mean.view_as(gradient))
    by_name = dict(zip(names, totals, strict=True))
    return Loss(by_name.pop(""), by_name)


def share_sums(sums: Mapping[str, Tensor], pairs: int) -> tuple[dict[str, Tensor], int]:
    """Sum scalars, and the number of pairs that they are sums over, over the processes.

    Raises:
        LostProcessError: If a process is gone.
    """
    if not connected():
        return dict(sums), pairs
    values = torch.stack([*sums.values()])
    values = torch.cat([values, values.new_tensor([pairs])])
    _sum(values)
    *parts, total = values.unbind()
    return dict(zip(sums, parts, strict=True)), int(total)


def _sum(values: Tensor) -> None:
    with _together():
        dist.all_reduce(values)


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # Gloo says where in its source it was, what happened, and then some advice.
        reason = re.sub(r"^\[\S*\] ", "", str(error)).partition("\n")[0].partition(". ")[0]
        raise LostProcessError(
            f"another process of this training ended or cannot be reached ({reason})"
        ) from error
