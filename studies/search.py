"""Search configurations: ``python studies/search.py loss_weights --trials 30 with quick``.

Without SPACE it goes on with the study that --study names; a larger --trials extends it. Every
trial is a training of its own, recorded like any other run. Ctrl-C ends the study in order; the
same command goes on with it.

Spaces: loss_weights, lcc_window, channels, architecture, full (studies/spaces.py).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import optuna
from optuna.storages import BaseStorage

from experiments.errors import PlainError
from experiments.run_folder import runs_root
from experiments.signals import STOP
from experiments.words import run_command
from studies import schema
from studies.agreement import data_now, make_plan
from studies.modes import AGAINST, SAMPLERS, make_sampler, mode_of, quiet_optuna
from studies.plan import Plan, begin, name_objectives, plan_of, refuse_differences
from studies.progress import Progress, summary
from studies.storage import (
    checked_name,
    command_on,
    load_study,
    open_storage,
    shown_url,
    storage_url,
)
from studies.trials import fill, revive
from studies.warm import warm_start
from studies.workers import Workers, shares, visible_gpus

logger = logging.getLogger("hipreg.studies")

TRIALS = 20
"""Trials of a new study, unless said otherwise."""


def options(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The command line, and what follows ``with``."""
    words = list(arguments)
    at = words.index("with") if "with" in words else len(words)
    parser = argparse.ArgumentParser(
        prog="studies/search.py",
        usage="%(prog)s [SPACE] [options] [with CONFIGURATION ...]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("space", nargs="?", help="what to search; none to go on with --study")
    add("--study", help="name of the study (default: that of the space)")
    add("--trials", type=int, help=f"trials of the whole study (default: {TRIALS})")
    add("--workers", type=int, default=1, help="trainings side by side")
    add("--storage", help="URL or journal file (default: HIPREG_STUDY_STORAGE, else a journal)")
    add("--budget-epochs", type=int, metavar="E", help="epochs of a training")
    add("--mode", choices=(schema.SINGLE, schema.PARETO), default=schema.SINGLE)
    add("--against", choices=tuple(AGAINST), help="in mode pareto (default: sdlogj)")
    add("--max-folding", type=float, help="largest share of folded voxels, in mode single")
    add("--max-sdlogj", type=float, help="largest SDlogJ, in mode single")
    add("--sampler", choices=SAMPLERS, help="default: tpe, or what the study had")
    add("--seed", type=int, help="of the sampler (default: another one every time)")
    add("--warm-start", metavar="FROM", action="append", default=[])
    add("--resume", action="store_true", help="go on with a study, and stop where there is none")
    add("--runs-dir", type=Path, help="folder of runs (default: HIPREG_RUNS, else results/runs)")
    add("--prepare", action="store_true", help="make the study and its queue; start no worker")
    return parser.parse_args(words[:at]), words[at + 1 :]


def main(arguments: Sequence[str]) -> int:
    """Prepare the study, start its workers, and say what it found."""
    chosen, overrides = options(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    quiet_optuna()
    if chosen.workers < 1:
        raise PlainError(f"--workers must be at least 1, got {chosen.workers}")
    if chosen.runs_dir is not None:
        os.environ["HIPREG_RUNS"] = str(chosen.runs_dir.absolute())
    name = name_of(chosen)
    url = storage_url(chosen.storage, name)
    storage = open_storage(url, workers=chosen.workers)
    study, plan = prepare(chosen, overrides, name, storage)
    logger.info(
        "Study %s: %s over %s, %d epochs a trial, on %s. Storage: %s",
        name,
        " against ".join(plan.mode.objectives),
        plan.space.purpose,
        plan.epochs,
        plan.data,
        shown_url(url),
    )
    if chosen.prepare:
        runs = [] if chosen.runs_dir is None else ["--runs-dir", str(chosen.runs_dir)]
        worker = command_on(name, url, "python studies/worker.py", *runs)
        logger.info("%d trials wait; a worker: %s", waiting(study), worker)
        return 0
    return run(study, url, workers=chosen.workers, seed=chosen.seed)


def name_of(chosen: argparse.Namespace) -> str:
    """The name of the study that is meant.

    Raises:
        PlainError: The command line names none.
    """
    if chosen.study is None and chosen.space is None:
        raise PlainError(
            "name a search space, or a study to go on with: --study NAME (see --help)"
        )
    return checked_name(chosen.study or chosen.space)


def prepare(
    chosen: argparse.Namespace, overrides: Sequence[str], name: str, storage: BaseStorage
) -> tuple[optuna.Study, Plan]:
    """Make the study or check that it may go on, and fill its queue.

    Raises:
        PlainError: It may not, or the command line does not go together.
    """
    if chosen.space is None or chosen.resume:
        study = load_study(storage, name)
    if chosen.space is None:
        given = (chosen.budget_epochs, chosen.against, chosen.max_folding, chosen.max_sdlogj)
        if overrides or any(value is not None for value in given):
            raise PlainError("settings of a new study need its SPACE as the first word")
        plan = plan_of(study)
        wanted = replace(plan, data=data_now(plan.overrides)).attributes()
        refuse_differences(name, study.user_attrs, wanted)
        name_objectives(study, plan.mode.objectives)
    else:
        limits = {schema.FOLDING: chosen.max_folding, schema.SDLOGJ: chosen.max_sdlogj}
        mode = mode_of(chosen.mode, chosen.against, limits)
        plan = make_plan(chosen.space, mode, overrides, chosen.budget_epochs)
        study = begin(storage, name, plan)
    sampler = chosen.sampler or study.user_attrs.get(schema.SAMPLER, SAMPLERS[0])
    make_sampler(sampler, 0)
    trials = chosen.trials or TRIALS
    if sampler == "grid":
        trials = chosen.trials or plan.space.settings()
        if trials > plan.space.settings():
            raise PlainError(
                f"--trials {trials}: the grid of space {plan.space.name} has "
                f"{plan.space.settings()} settings, and each is trained once"
            )
    study.set_user_attr(schema.SAMPLER, sampler)
    new = not study.get_trials(deepcopy=False)
    for source in chosen.warm_start:
        count = warm_start(study, plan.space, source, storage)
        logger.info("%d trials start from %s", count, source)
    if chosen.trials is not None or new:
        fill(study, trials)
    return study, plan


def waiting(study: optuna.Study) -> int:
    """Trials in the queue."""
    return len(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.WAITING,)))


def run(study: optuna.Study, url: str, *, workers: int, seed: int | None) -> int:
    """Let workers train what waits, and show how far they are."""
    with STOP.listening():
        revive(study, runs_root())
        divided = shares(workers, sorted(os.sched_getaffinity(0)), visible_gpus())
        with (
            Progress(study) as progress,
            Workers(study.study_name, url, divided, seed=seed) as all_,
        ):
            done = all_.watch(progress.update)
            progress.update()
    logger.info("%s", summary(study, url))
    if STOP.asked is not None:
        logger.info("Stopped; the same command goes on with it")
        return 128 + STOP.asked
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
