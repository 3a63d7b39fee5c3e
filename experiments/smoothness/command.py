"""One of our models at several weights of its smoothness: what overlap it costs.

    python -m experiments.smoothness --model best
    python -m experiments.smoothness --model best --factors 0.1 1 10 --pairs 20 --steps 80
    python -m experiments.smoothness --model 14 --split selection --out FOLDER

Registers the same pairs once for each factor, with the model's own steps and goal except that the
weights which make its velocity smooth (diffusion and divergence) are multiplied by the factor; 1
leaves them as they are. Each factor has a record as of experiments.peers. Called again, also with
further factors, it goes on with what is not done. The Pareto figure draws the folder as a line:
python results/figures.py --smoothness FOLDER, or make results where it is results/smoothness.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path

from experiments.errors import PlainError
from experiments.peers.command import (
    add_pairs,
    circumstances,
    described,
    drawn,
    register_all,
    threads_of,
    told,
    writing,
)
from experiments.peers.methods import Method, of_trained
from experiments.peers.record import open_record, read_record
from experiments.peers.worker import Here
from experiments.prediction import add_refinement, cohort_of, pairs_of, refinement
from experiments.run_folder import runs_root
from experiments.smoothness.record import FACTOR, MODEL, USUAL, WEIGHTS, refuse_mixture
from experiments.trained import TrainedModel, trained_model
from hipreg.models import FlowNet, Model
from hipreg.prediction import Refinement

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "results" / "smoothness.py"
PROGRAM = "python -m experiments.smoothness"
FACTORS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(
        prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--model", required=True, metavar="RUN", help="a run, weights or a published model's name")
    add(
        "--factors",
        type=factor,
        nargs="+",
        default=FACTORS,
        metavar="X",
        help=f"of the smoothness weights (default: {' '.join(f'{x:g}' for x in FACTORS)})",
    )
    add_pairs(made)
    add(
        "--out", type=Path, help="folder of the records (default: smoothness/SPLIT, with the runs)"
    )
    add_refinement(made)
    return made


def factor(text: str) -> float:
    """A factor of a command line.

    Raises:
        argparse.ArgumentTypeError: It is no number of at least 0.
    """
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not isfinite(found) or found < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of at least 0, as in 0.3")
    return found


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    options = parser().parse_args(arguments)
    threads = threads_of(options)
    trained = trained_model(options.model)
    wanted = refinement(options, trained.model)
    weights = smoothness_of(trained.model, wanted, options.model)
    methods = [
        at_factor(trained, wanted, weights, one, options.device)
        for one in sorted(set(options.factors))
    ]
    cohort = cohort_of(trained.model, options.data_dir)
    pairs = drawn(pairs_of(cohort, options.split), options.pairs, options.seed)
    out = options.out or runs_root() / "smoothness" / options.split
    with writing(out):
        about = circumstances(cohort, options.split, threads, told(arguments, PROGRAM))
        records = [open_record(out / f"{m.name}.json", described(m, about)) for m in methods]
        there = {path: read_record(path) for path in sorted(out.glob("*.json"))}
        all_records = {**there, **{record.path: record for record in records}}
        refuse_mixture([record.about for record in all_records.values()], str(out))
        register_all(methods, records, pairs, cohort, Here)
    print(f"Metrics of every pair, settings, times and the table: {out}", flush=True)
    return subprocess.run([sys.executable, str(TABLE), str(out)], check=False).returncode


def smoothness_of(model: Model, wanted: Refinement, source: str) -> Mapping[str, float]:
    """The weights that make a model's velocities smooth, as its instance optimisation has them.

    Args:
        model: The model.
        wanted: What is done at test time.
        source: What the model was asked for by, for the message.

    Raises:
        PlainError: It has no velocity, does not optimise it, or has no such weight.
    """
    if not isinstance(model.net, FlowNet):
        raise PlainError(
            f"--model {source}: it predicts displacements and no velocity, so that there is no "
            "smoothness to weigh at test time; give a model of the family of `best`"
        )
    if not wanted.steps:
        raise PlainError(
            f"--model {source}: nothing is optimised in 0 steps, so that no weight matters; say "
            "how many, as in --steps 40"
        )
    goal = wanted.goal_for(model.net)
    weights = {name: float(getattr(goal, name)) for name in WEIGHTS}
    if not any(weights.values()):
        raise PlainError(
            f"--model {source}: {' and '.join(WEIGHTS)} weigh 0, whatever they are multiplied by; "
            "say another --goal, as in --goal diffusion=0.3"
        )
    return weights


def at_factor(
    trained: TrainedModel,
    wanted: Refinement,
    weights: Mapping[str, float],
    by: float,
    device: str,
) -> Method:
    """A model whose smoothness weights are multiplied by a factor.

    Args:
        trained: The model.
        wanted: What it does at test time otherwise.
        weights: Those at factor 1.
        by: The factor.
        device: It runs on.
    """
    goal = {**wanted.goal, **{name: by * weight for name, weight in weights.items()}}
    method = of_trained(trained, replace(wanted, goal=goal), device)
    name = str(trained.config.get("name") or trained.model.name)
    return replace(
        method,
        # All digits that a number is written with, so that no two share a file.
        name=f"smoothness-{by:.15g}",
        title=f"{name}, smoothness x {by:g}",
        settings={**method.settings, MODEL: name, FACTOR: by, USUAL: dict(weights)},
    )
