"""What a program does to its process is said, and ends no other."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from experiments.errors import PlainError
from experiments.peers.peer import Field, Volume
from experiments.peers.worker import Register, Worker


def _fails(threads: int) -> Register:
    """Reports its threads, then raises, then takes its process down: by the image's value."""

    def register(moving: Volume, fixed: Volume) -> Field:
        if moving.max() > 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        if moving.max() > 0:
            raise RuntimeError("all samples map outside")
        print("a program's chatter")
        return np.full((3, *fixed.shape), float(os.environ["OMP_NUM_THREADS"]))

    return register


def test_what_goes_wrong_in_a_program_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    image = np.zeros((4, 4, 4), dtype=np.float32)
    before = dict(os.environ)
    with Worker("elastix", _fails, threads=3) as worker:
        assert os.environ == before
        found = worker.register(image, image)
        assert (found.field == 3).all()
        assert 0 <= found.cpu_seconds <= found.seconds + 0.1
        # An error is of one pair: the process goes on.
        for _ in range(2):
            with pytest.raises(PlainError, match="elastix: RuntimeError: all samples map outside"):
                worker.register(image + 1, image)
        with pytest.raises(PlainError, match="elastix: its process ended by signal 11"):
            worker.register(image + 2, image)
    assert "chatter" not in capfd.readouterr().out
