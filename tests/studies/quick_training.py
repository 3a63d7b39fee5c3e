"""A training of milliseconds with real records, signals and resuming: no network, no images.

Its Dice is a bowl over ``x`` and ``y`` that it comes down to over the epochs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from sacred.run import Run

from experiments.resume import LAST, command_line
from experiments.run_folder import runs_root, write_text
from experiments.signals import STOP, StoppedError, follow_parent
from experiments.tracking import artifacts_folder, log_epoch, new_experiment, note

DATA = "bowl 1"

experiment = new_experiment("train")


@experiment.config
def base() -> None:
    x = 0.0  # noqa: F841
    y = 0.0  # noqa: F841
    epochs = 4  # noqa: F841
    pause = 0.01  # seconds an epoch  # noqa: F841
    slow_below = -100.0  # a Dice below this takes a minute an epoch, after the first  # noqa: F841
    fails = False  # noqa: F841
    threads = None  # noqa: F841
    max_minutes = None  # noqa: F841
    study = None  # noqa: F841
    trial = None  # noqa: F841
    resume_from = None  # noqa: F841
    name = "bowl"  # noqa: F841


def dice(x: float, y: float, epoch: int, epochs: int) -> float:
    """Highest at (1, -1), and higher with every epoch."""
    return 0.9 - 0.1 * ((x - 1) ** 2 + (y + 1) ** 2) - 0.1 * (1 - epoch / epochs)


def wait(seconds: float) -> None:
    """Sleep, or until the run is asked to end."""
    end = time.monotonic() + seconds
    while STOP.asked is None and time.monotonic() < end:
        time.sleep(0.01)


@experiment.main
def main(_run: Run, _config: Mapping[str, Any]) -> float:
    config = dict(_config)
    data, fingerprint = DATA.split()
    _run.info["data"] = {"dataset": data, "fingerprint": fingerprint}
    _run.info["metric_definitions"] = 1
    if config["fails"]:
        raise ArithmeticError("told to fail")
    folder = artifacts_folder(_run)
    assert folder is not None
    done = 0
    if config["resume_from"] is not None:
        checkpoint = Path(config["resume_from"]) / "artifacts" / LAST
        done = int(checkpoint.read_text()) if checkpoint.exists() else 0
        note(_run, resumed_at_epoch=done)
        write_text(folder / LAST, str(done))
    value = 0.0
    for epoch in range(done + 1, config["epochs"] + 1):
        wait(60 if epoch > 1 and value < config["slow_below"] else config["pause"])
        try:
            STOP.check()
        except StoppedError as error:
            raise StoppedError(error.signal, f"after epoch {epoch - 1}") from None
        value = dice(config["x"], config["y"], epoch, config["epochs"])
        metrics = {"dice": value, "sdlogj": 0.05, "folding": 0.0}
        log_epoch(_run, epoch, {f"selection/{name}": one for name, one in metrics.items()})
        write_text(folder / LAST, str(epoch))
    names = ("seconds_per_pair", "training_seconds_per_pair", "memory_mb")
    _run.info["cost"] = dict.fromkeys(names, 1.0)
    return value


if __name__ == "__main__":
    with STOP.listening():
        follow_parent()
        experiment.run_commandline([sys.argv[0], *command_line(sys.argv[1:], runs_root())])
