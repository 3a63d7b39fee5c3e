"""What is done to runs elsewhere in this package: each subcommand is one call of one function."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from experiments.runs import wording
from experiments.runs.errors import RunsError
from experiments.runs.gather import LATEST, find_run, find_runs

_EXPERIMENTS = Path(__file__).resolve().parents[1]


def sync(root: Path, arguments: argparse.Namespace) -> int:
    """Bring the MongoDB mirror up to date."""
    from experiments.sync import sync as bring_up_to_date

    url = arguments.mongo_url or os.environ.get("HIPREG_MONGO_URL")
    if not url:
        raise RunsError("sync needs a database: --mongo-url URL, or the variable HIPREG_MONGO_URL")
    wanted = find_runs(root, arguments.run_names)
    for run in wanted:
        if run.folder.resolve().parent != root.resolve():
            raise RunsError(
                f"{run.folder} lies outside {root}: say --runs-dir {run.folder.parent}"
            )
    ids = [int(run.id) for run in wanted] or None
    report = bring_up_to_date(root, url, ids=ids, thorough=arguments.thorough)
    print(report)
    return 1 if report.failed else 0


def reap(root: Path, arguments: argparse.Namespace) -> int:
    """Close the records of runs whose process is gone."""
    from experiments.ends import reap as close_dead

    closed = close_dead(root)
    if arguments.json:
        json.dump([run.id for run in closed], sys.stdout)
        print()
        return 0
    for run in closed:
        print(
            f"run {run.id} ({run.name}): closed as {run.status}; resume it with: resume {run.id}"
        )
    print(f"{wording.counted(len(closed), 'dead run')} closed in {root}", file=sys.stderr)
    return 0


def resume(root: Path, arguments: argparse.Namespace) -> int:
    """Continue a run; this process becomes the training."""
    from experiments.records import read_record
    from experiments.resume import experiment_of, resume_arguments
    from experiments.resume import find_run as find_resumable

    if arguments.run_name == LATEST:  # the newest that can be resumed, and not the newest of all
        folder = find_resumable(root, LATEST, None).folder
    else:
        folder = find_run(root, arguments.run_name).folder
    record = read_record(folder.resolve())
    overrides = arguments.overrides[arguments.overrides[:1] == ["with"] :]
    words = resume_arguments(record, overrides)
    script = _EXPERIMENTS / f"{experiment_of(record)}.py"
    sys.stdout.flush()
    environment = {**os.environ, "HIPREG_RUNS": str(record.folder.parent)}
    os.execve(sys.executable, [sys.executable, str(script), *words], environment)


def omniboard(root: Path, arguments: argparse.Namespace) -> int:
    """Browse the runs in Omniboard until Ctrl-C."""
    from experiments.omniboard.serve import PORT, serve

    url = arguments.mongo_url or os.environ.get("HIPREG_MONGO_URL")
    serve(root, url, port=arguments.port or PORT)
    return 0
