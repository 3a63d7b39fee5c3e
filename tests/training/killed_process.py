"""The training command, whose process 1 is killed in its second step.

Run by test_distributed.py under ``torch.distributed.run``.
"""

from __future__ import annotations

import os
import runpy
import signal
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from hipreg.losses import Loss
from hipreg.training import distributed

COMMAND = Path(__file__).resolve().parents[2] / "experiments" / "train.py"


def main() -> None:
    share, steps = distributed.share_step, 0

    def share_once(parameters: Sequence[nn.Parameter], loss: Loss, *, pairs: int) -> Loss:
        nonlocal steps
        steps += 1
        if steps == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return share(parameters, loss, pairs=pairs)

    if os.environ["RANK"] == "1":
        distributed.share_step = share_once
    runpy.run_path(str(COMMAND), run_name="__main__")


if __name__ == "__main__":
    main()
