"""How a training of several processes starts, and ends when one of them does."""

from __future__ import annotations

import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from sacred.utils import SacredError

from experiments import settings
from experiments.errors import PlainError
from hipreg.training import LostProcessError, Team


class TeamError(PlainError):
    """The training cannot go on without another process."""


def own_device(config: Mapping[str, Any], team: Team) -> torch.device:
    """The device of this process; the processes of a machine share out its CPU cores."""
    device = team.device(settings.device(config))
    if team.size > 1:
        if config["threads"] is None:
            torch.set_num_threads(max(1, torch.get_num_threads() // team.local_size))
        if device.type == "cuda":
            torch.cuda.set_device(device)
    return device


@contextmanager
def leading(team: Team) -> Iterator[None]:
    """End the run with one message and a closed record when another process ends.

    torchrun sends SIGTERM to all processes as soon as one has failed. The first such signal ends
    the run like the lost connection does; what follows must not interrupt the record's end.
    """
    if team.size == 1:
        yield
        return

    def stop(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise LostProcessError(
            "stopped by SIGTERM, as torchrun does when another process of a training ended"
        )

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except BaseException as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if isinstance(error, LostProcessError):
            raise TeamError(str(error)) from None
        raise
    signal.signal(signal.SIGTERM, before)


@contextmanager
def beside_the_leader(team: Team) -> Iterator[list[str]]:
    """Run the command: as ever in the leading process, unrecorded and silent in the others.

    Another process says nothing but what it alone knows: its own failure. It is silent about one
    that the leader meets too (Sacred's errors on the command line) or that began elsewhere.

    Yields:
        Sacred's arguments before those of the command line.
    """
    if team.leads:
        yield []
        return
    logging.disable(logging.ERROR)
    try:
        yield ["--unobserved", "--debug"]
    except (LostProcessError, SacredError, KeyboardInterrupt):
        sys.exit(1)
    except Exception:
        sys.stderr.write(
            f"Process {team.rank} of {team.size} failed (pid {os.getpid()}):\n"
            + traceback.format_exc()
        )
        sys.exit(1)
