"""Workers of a study on a cluster: ``python studies/launch.py slurm STUDY --workers 8``.

The study is made beforehand, with ``studies/search.py ... --prepare``, in a database that all
nodes reach; its URL comes by the variable HIPREG_STUDY_STORAGE (a password is better kept in
``~/.pgpass``). ``slurm`` writes the script of an array of workers, and submits it with --submit.
``submitit`` does the same from Python (``pip install submitit``), or with --executor local on
this machine.

A worker that is preempted, or reaches its time, writes a checkpoint, puts its trial back into the
queue and is queued again; any worker goes on with the trial.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.errors import PlainError
from experiments.run_folder import runs_root, write_text
from experiments.words import run_command
from studies.storage import STORAGE, checked_name, is_database, storage_url, studies_root

logger = logging.getLogger("hipreg.studies")

_ROOT = Path(__file__).resolve().parents[1]
WORKER = (sys.executable, str(_ROOT / "studies" / "worker.py"))
_TIMED_OUT = 138
"""128 + SIGUSR1: what a worker ends with that Slurm told of its time limit."""


@dataclass(frozen=True, slots=True)
class Job:
    """What each worker of an array asks for.

    Attributes:
        study: Name.
        workers: How many.
        minutes: Time limit.
        cores: CPU cores.
        gpus: GPUs.
        memory_gb: Memory.
        extra: Further lines of ``#SBATCH``, as in ``partition=gpu``.
    """

    study: str
    workers: int
    minutes: int
    cores: int
    gpus: int
    memory_gb: int
    extra: tuple[str, ...] = ()


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="studies/launch.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("how", choices=("slurm", "submitit"))
    add = parser.add_argument
    add("study", help="name of a study that search.py --prepare made")
    add("--workers", type=int, default=4, help="independent workers, a trial at a time each")
    add("--minutes", type=int, default=24 * 60, help="time limit of a worker; trials outlive it")
    add("--cores", type=int, default=8, help="CPU cores of a worker")
    add("--gpus", type=int, default=0, help="GPUs of a worker")
    add("--memory-gb", type=int, default=16, help="memory of a worker")
    add("--sbatch", action="append", default=[], metavar="KEY=VALUE", help="as in partition=gpu")
    add("--to", type=Path, help="the script (default: results/studies/STUDY.sbatch)")
    add("--submit", action="store_true", help="submit it too")
    add("--executor", default="slurm", help="of submitit: slurm, or local for this machine")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Write the script, or hand the workers to submitit."""
    chosen = options(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    if chosen.workers < 1:
        raise PlainError(f"--workers must be at least 1, got {chosen.workers}")
    job = Job(
        checked_name(chosen.study),
        chosen.workers,
        chosen.minutes,
        chosen.cores,
        chosen.gpus,
        chosen.memory_gb,
        tuple(chosen.sbatch),
    )
    _refuse_journal(job.study, local=chosen.how == "submitit" and chosen.executor == "local")
    if chosen.how == "submitit":
        for one in submit_with_submitit(job, chosen.executor):
            logger.info("worker: job %s", one.job_id)
        return 0
    script = chosen.to or studies_root() / f"{job.study}.sbatch"
    script.parent.mkdir(parents=True, exist_ok=True)
    write_text(script, slurm_script(job))
    logger.info("%s: %d workers for study %s", script, job.workers, job.study)
    if chosen.submit:
        logger.info("%s", sbatch(script))
    else:
        logger.info("Submit it with: sbatch %s", shlex.quote(str(script)))
    return 0


def slurm_script(job: Job) -> str:
    """The script of an array of workers. No password is in it: see the module."""
    settings = [
        f"job-name={job.study}",
        f"array=0-{job.workers - 1}",
        f"time={job.minutes}",
        f"cpus-per-task={job.cores}",
        f"mem={job.memory_gb}G",
        *([f"gres=gpu:{job.gpus}"] if job.gpus else []),
        "requeue",
        "signal=USR1@90",
        "open-mode=append",
        f"output={studies_root().absolute() / job.study}-%A_%a.log",
        *job.extra,
    ]
    command = [*WORKER, job.study]
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH --{setting}" for setting in settings),
            f"# Workers of study {job.study}: each takes trials from its queue until it is empty.",
            f': "${{{STORAGE}:?set it to the URL of the database before sbatch}}"',
            f"export HIPREG_RUNS={shlex.quote(str(runs_root().absolute()))}",
            f"cd {shlex.quote(str(_ROOT))} || exit 1",
            f'srun {shlex.join(command)} --index "$SLURM_ARRAY_TASK_ID"',
            "code=$?",
            "# Slurm queues a preempted job again; one that reached its time does so itself.",
            f'if [ "$code" -eq {_TIMED_OUT} ]; then',
            '    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"',
            "fi",
            'exit "$code"',
            "",
        ]
    )


def sbatch(script: Path) -> str:
    """Submit a script; returns what Slurm says.

    Raises:
        PlainError: There is no Slurm here, or it refuses.
    """
    if shutil.which("sbatch") is None:
        raise PlainError(f"no sbatch here: submit {script} on a machine that has it")
    done = subprocess.run(["sbatch", str(script)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PlainError(f"sbatch refused {script}: {done.stderr.strip()}")
    return done.stdout.strip()


class ClusterWorker:
    """A worker as submitit runs it, which starts it anew when it was preempted."""

    def __init__(self, command: Sequence[str] = WORKER) -> None:
        """Run ``command``."""
        self._command = tuple(command)

    def __call__(self, study: str, index: int) -> int:
        """Work until nothing is left to do; returns the worker's exit status."""
        command = [*self._command, study, "--index", str(index)]
        return subprocess.run(command, cwd=_ROOT, check=False).returncode

    def checkpoint(self, study: str, index: int) -> Any:
        """What is submitted in place of a worker that was preempted."""
        import submitit

        return submitit.helpers.DelayedSubmission(self, study, index)


def submit_with_submitit(job: Job, executor: str) -> list[Any]:
    """Submit the workers; returns submitit's jobs.

    Raises:
        PlainError: submitit is not installed.
    """
    try:
        import submitit
    except ImportError:
        raise PlainError("submitit is not installed: pip install 'hipreg[cluster]'") from None
    os.environ["HIPREG_RUNS"] = str(runs_root().absolute())
    pool = submitit.AutoExecutor(folder=studies_root() / f"{job.study}-jobs", cluster=executor)
    pool.update_parameters(
        name=job.study,
        timeout_min=job.minutes,
        cpus_per_task=job.cores,
        gpus_per_node=job.gpus,
        mem_gb=job.memory_gb,
        **({} if executor == "local" else {"slurm_additional_parameters": _extra(job)}),
    )
    return [pool.submit(ClusterWorker(WORKER), job.study, k) for k in range(job.workers)]


def _extra(job: Job) -> dict[str, str]:
    return dict(word.partition("=")[::2] for word in job.extra)  # type: ignore[misc]


def _refuse_journal(study: str, *, local: bool) -> None:
    url = storage_url(None, study)
    if not is_database(url) and not local:
        raise PlainError(
            f"workers on several machines need a database, and study {study} is to lie in the "
            f"file {url}: set {STORAGE} to postgresql://USER@HOST/DATABASE"
        )


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
