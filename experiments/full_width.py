"""The whole comparison at the published width, in portions of a given length.

    python -m experiments.full_width --out full --minutes 9 with device=cuda precision=bfloat16

does one stage after the other: the benchmark, pretraining, the baseline, + sym, + sym pretrain,
then the segmentation and the registration of the most accurate recipe. When its minutes are over
the running stage writes a checkpoint and ends; the same command goes on from there, and says so
when all is done. Runs lie in OUT/runs like any other's, for results/ablation.py --runs.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments import run_folder
from experiments.records import COMPLETED, read_record
from experiments.words import run_command
from hipreg.files import replacing

ROOT = Path(__file__).resolve().parents[1]
STATE = "stages.json"
GRACE = 50
"""Seconds that a stage has to write its checkpoint and to end."""

UNFINISHED = 3
"""Exit status of a portion that leaves something for the next."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of the comparison.

    Attributes:
        name: In the state and on the screen.
        program: What Python is given before the words.
        words: Its configuration; empty for a command that is no training.
    """

    name: str
    program: tuple[str, ...]
    words: tuple[str, ...] = ()

    @property
    def trains(self) -> bool:
        """Whether it leaves a run that can be resumed."""
        return bool(self.words)


def stages(epochs: int, benchmark: Sequence[str]) -> list[Stage]:
    """Everything there is to do, in order.

    Args:
        epochs: Of each training of the published method.
        benchmark: Further options of ``python -m hipreg.benchmark``.
    """
    train = ("experiments/train.py",)
    budget = f"epochs={epochs}"
    return [
        Stage("benchmark", ("-m", "hipreg.benchmark", "--out", "{out}/benchmark", *benchmark)),
        Stage("pretraining", ("experiments/pretrain.py",), ("self", budget)),
        Stage("baseline", train, (budget,)),
        Stage("sym", train, ("sym", budget)),
        Stage("sym pretrain", train, ("sym", "pretrain", budget)),
        Stage("segmentation", ("experiments/segment.py",), ("best",)),
        Stage("best", train, ("best",)),
    ]


@dataclass(slots=True)
class Campaign:
    """Stages that are done in portions.

    Attributes:
        out: Gets runs, state and logs.
        overrides: Further words of every training.
        done: What is finished.
        run: The run of the stage that was broken off, if one was.
    """

    out: Path
    overrides: tuple[str, ...]
    done: list[str] = field(default_factory=list)
    run: int | None = None

    @staticmethod
    def at(out: Path, overrides: Sequence[str]) -> Campaign:
        """As an earlier portion left it, or new.

        Raises:
            ValueError: The earlier portions were told other words.
        """
        campaign = Campaign(out, tuple(overrides))
        if (out / STATE).is_file():
            state = json.loads((out / STATE).read_text(encoding="utf-8"))
            if state["overrides"] != list(overrides):
                raise ValueError(
                    f"{out / STATE}: begun with the words {state['overrides']}, and now they are "
                    f"{list(overrides)}: say the same, or choose another --out"
                )
            campaign.done, campaign.run = state["done"], state["run"]
        return campaign

    def save(self) -> None:
        """Write what is done, so that the next portion knows."""
        self.out.mkdir(parents=True, exist_ok=True)
        state: Mapping[str, Any] = {
            "overrides": list(self.overrides),
            "done": self.done,
            "run": self.run,
        }
        with replacing(self.out / STATE) as part:
            part.write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")

    def go(self, todo: Sequence[Stage], seconds: float) -> bool:
        """Do as much as fits; returns whether all is done.

        Raises:
            ValueError: A stage failed; its log is named.
        """
        deadline = time.monotonic() + seconds
        for stage in todo:
            if stage.name in self.done:
                continue
            if time.monotonic() >= deadline:
                return False
            print(f"{stage.name}: {'resumed' if self.run else 'begun'}", flush=True)
            if not self._do(stage, deadline):
                return False
            self.done.append(stage.name)
            self.run = None
            self.save()
        return True

    def _do(self, stage: Stage, deadline: float) -> bool:
        """One stage, to its end or the deadline; returns whether it is finished."""
        runs = self.out / "runs"
        before = set(run_folder.run_ids(runs))
        status = self._called(stage, deadline)
        started = sorted(set(run_folder.run_ids(runs)) - before)
        if stage.trains and started:
            self.run = started[-1]
            self.save()
            if read_record(runs / str(self.run)).status == COMPLETED:
                return True
        if status == 0 and not stage.trains:
            return True
        if time.monotonic() < deadline:
            raise ValueError(f"{stage.name} failed: see {self._log(stage)}")
        return False

    def _called(self, stage: Stage, deadline: float) -> int:
        words = [word.format(out=self.out) for word in stage.program]
        if stage.trains and self.run is not None:
            words += ["resume", str(self.run)]
        elif stage.trains:
            words += ["with", *stage.words, *self.overrides]
        self.out.mkdir(parents=True, exist_ok=True)
        with self._log(stage).open("a", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env={**os.environ, "HIPREG_RUNS": str(self.out / "runs")},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                return process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
                return _ended(process)
            except KeyboardInterrupt:
                process.send_signal(signal.SIGTERM)
                _ended(process)
                raise

    def _log(self, stage: Stage) -> Path:
        return self.out / f"{stage.name.replace(' ', '_')}.log"


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The status of a process that was asked to end; it is made to after its time of grace."""
    try:
        return process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(
        prog="python -m experiments.full_width",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--out", type=Path, required=True, help="folder for runs, state and logs")
    made.add_argument("--minutes", type=float, default=9.0, help="of this portion (default: 9)")
    made.add_argument("--epochs", type=int, default=600, help="of a training (default: 600)")
    made.add_argument("--only", nargs="+", metavar="STAGE", help="these stages alone")
    made.add_argument("--benchmark", default="", help="options of the benchmark, in one string")
    return made


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    words = list(arguments)
    at = words.index("with") if "with" in words else len(words)
    options = parser().parse_args(words[:at])
    todo = stages(options.epochs, options.benchmark.split())
    names = [stage.name for stage in todo]
    unknown = sorted(set(options.only or ()) - set(names))
    if unknown:
        raise ValueError(f"--only: no stage {', '.join(unknown)}; there are {', '.join(names)}")
    chosen = [stage for stage in todo if stage.name in (options.only or names)]
    out = options.out.resolve()
    campaign = Campaign.at(out, words[at + 1 :])
    finished = campaign.go(chosen, options.minutes * 60)
    print(f"{'All' if finished else 'Not yet all'} done; runs, logs and benchmark: {out}")
    return 0 if finished else UNFINISHED


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
