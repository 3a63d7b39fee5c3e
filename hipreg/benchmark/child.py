"""Measures one training step in a process of its own: ``python -m hipreg.benchmark.child FOLDER``.

Only so do two steps have peaks of memory of their own, and one that is killed for its memory
leaves the others alone.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from hipreg.benchmark.convolutions import OperatorCost, operator_costs
from hipreg.benchmark.measure import (
    medians,
    peak_memory,
    reset_peak_memory,
    time_calls,
    time_phases,
)
from hipreg.benchmark.setting import Setting
from hipreg.benchmark.steps import DirectStep, FastStep, prepare_optimizer
from hipreg.benchmark.work import Work, count_direct_work, count_work
from hipreg.data.batches import CaseBank
from hipreg.losses import Objective
from hipreg.training import keep_freed_memory

Kind = Literal["fast", "direct"]


class ChildError(RuntimeError):
    """The process that measured a step failed; says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a child is to measure.

    Attributes:
        kind: Which step.
        setting: Of the step.
        repeats: Steps that count.
        labels: Label values of the cases.
        device: To run on.
        threads: Of the CPU.
        profile: Also profile the step's operators.
    """

    kind: Kind
    setting: Setting
    repeats: int
    labels: tuple[int, ...]
    device: str
    threads: int
    profile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a step costs.

    Attributes:
        kind: Which step.
        setting: Of the step.
        seconds: Of each counted step, as a whole.
        phases: Median seconds of each phase, measured apart from ``seconds``.
        memory_before: Bytes in use before the first step: weights, cases, and on a CPU the
            program itself.
        memory_peak: Most bytes in use during all steps.
        work: Of a step.
        operators: Where the time goes, if that was asked for.
    """

    kind: Kind
    setting: Setting
    seconds: tuple[float, ...]
    phases: Mapping[str, float]
    memory_before: int
    memory_peak: int
    work: Work
    operators: tuple[OperatorCost, ...] = ()

    @property
    def median(self) -> float:
        """Seconds of a step."""
        return statistics.median(self.seconds)

    @property
    def memory(self) -> int:
        """Bytes that the step itself needs at most."""
        return self.memory_peak - self.memory_before


def measure_in_child(job: Job, bank: CaseBank) -> Measured:
    """Measure a step in a fresh process.

    Args:
        job: What to measure.
        bank: Training cases; handed over as a file.

    Raises:
        ChildError: If the process fails or is killed.
    """
    with tempfile.TemporaryDirectory(prefix="hipreg-benchmark-") as name:
        folder = Path(name)
        torch.save([bank.images.cpu(), bank.labels.cpu()], folder / "cases.pt")
        (folder / "job.json").write_text(json.dumps(asdict(job)), encoding="utf-8")
        # The child finds this very package, wherever the command was started.
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, "-m", "hipreg.benchmark.child", name],
            env={**os.environ, "PYTHONPATH": path},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ChildError(_reason(done.returncode, done.stderr))
        return _read((folder / "result.json").read_text(encoding="utf-8"))


def measure_here(job: Job, bank: CaseBank) -> Measured:
    """Measure a step in this process, whose peak of memory must not be used up already."""
    device = bank.images.device
    objective = Objective(labels=job.labels)
    make = FastStep if job.kind == "fast" else DirectStep
    step = make(job.setting, bank, objective)
    prepare_optimizer(step.optimizer)
    before = reset_peak_memory(device)
    phases = time_phases(step.split, device=device, repeats=job.repeats)
    if job.kind == "fast":
        seconds = time_calls(step, device=device, repeats=job.repeats)
    else:
        # It is its phases, and too slow to be run twice.
        seconds = tuple(map(sum, zip(*phases.values(), strict=True)))
    peak = peak_memory(device)
    work = count_work(step) if job.kind == "fast" else count_direct_work(job.setting, objective)
    return Measured(
        kind=job.kind,
        setting=job.setting,
        seconds=seconds,
        phases=medians(phases),
        memory_before=before,
        memory_peak=peak,
        work=work,
        operators=tuple(operator_costs(step, device=device)) if job.profile else (),
    )


def _reason(code: int, errors: str) -> str:
    if code < 0:
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"killed by {signal.Signals(-code).name}{hint}"
    lines = errors.strip().splitlines()
    return lines[-1] if lines else f"exit status {code}"


def _read(text: str) -> Measured:
    values: dict[str, Any] = json.loads(text)
    return Measured(
        **{
            **values,
            "setting": Setting.of(values["setting"]),
            "seconds": tuple(values["seconds"]),
            "work": Work(**values["work"]),
            "operators": tuple(OperatorCost(**cost) for cost in values["operators"]),
        }
    )


def main(arguments: Sequence[str]) -> None:
    """Do the job of a folder and leave its result there."""
    folder = Path(arguments[0])
    values = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    job = Job(
        **{
            **values,
            "setting": Setting.of(values["setting"]),
            "labels": tuple(values["labels"]),
        }
    )
    torch.set_num_threads(job.threads)
    if job.kind == "fast":
        keep_freed_memory()  # part of how this project trains, and not of the published step
    images, labels = torch.load(folder / "cases.pt", map_location=job.device, weights_only=True)
    bank = CaseBank(tuple(range(len(images))), images, labels)
    result = json.dumps(asdict(measure_here(job, bank)))
    (folder / "result.json").write_text(result, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
