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
from experiments.signals import STOP, StoppedError
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
def leading() -> Iterator[None]:
    """End the run with one message when another process ends.

    torchrun sends SIGTERM to all processes as soon as one has failed, and when it is itself to
    end. In the first case the connection is lost in the middle of a step, and the run has failed;
    in the second the step is done, and the run was stopped like one of a single process.

    Raises:
        StoppedError: the job was interrupted by hand or reached its time.
        TeamError: another process was lost.
    """
    try:
        yield
    except LostProcessError as error:
        # From a terminal or a job's end, these reach every process, and torchrun not by itself.
        if STOP.asked in (signal.SIGINT, signal.SIGUSR1):
            raise StoppedError(STOP.asked, "with all processes of the training") from None
        raise TeamError(str(error)) from None


def leave_at_once() -> None:
    """End a process that has nothing left to do, without taking it down piece by piece.

    Threads of the connection may outlive it for a moment, and C++ aborts a process that ends
    before them: the others would be told that their training had failed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


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
