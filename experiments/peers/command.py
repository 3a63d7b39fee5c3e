"""Other registration programs beside ours, on the same pairs.

    python -m experiments.peers                       # all, on the validation pairs
    python -m experiments.peers demons elastix --pairs 20 --model sym-pretrain
    python -m experiments.peers elastix --split selection --pairs 8 --set elastix.grid_spacing=6

Each registers the same crops in a process of its own; all displacements are measured by our
evaluation. Called again, it goes on with what is not done.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from experiments.errors import PlainError
from experiments.omniboard.process import only_one
from experiments.peers.methods import Method, of_model, of_peer, on_grid
from experiments.peers.programs import PEERS, changed, chosen
from experiments.peers.record import FORMAT, Record, open_record
from experiments.peers.worker import Here, Worker
from experiments.prediction import SPLITS, add_refinement, pairs_of, refinement
from experiments.redaction import redact
from experiments.run_folder import runs_root
from experiments.settings import crop
from experiments.snapshot import code_version, machine
from hipreg.data import CasePair, Cohort, load_cohort
from hipreg.evaluation import DEFINITIONS, PairJob, evaluate_pair
from hipreg.types import Size

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "results" / "peers.py"
PROGRAM = "python -m experiments.peers"
CROPS = ("tight", "whole")
# Where data and records lie is this machine's own affair.
_UNTOLD = ("--out", "--data-dir")


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(
        prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("names", nargs="*", metavar="NAME", help=f"of {', '.join(PEERS)} (default: all)")
    add_pairs(made)
    add(
        "--model",
        "--with-run",
        metavar="RUN",
        help="also one of ours: a run, weights or a published model's name",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME.KEY=VALUE",
        help="change a program's setting",
    )
    add(
        "--images",
        choices=CROPS,
        default="tight",
        help="what programs register: the smallest crop that holds every scan, or the whole grid",
    )
    add("--out", type=Path, help="folder of the records (default: peers/SPLIT among the runs)")
    add("--dataset", default="hippocampus", help="default: hippocampus")
    add_refinement(made)
    return made


def add_pairs(made: argparse.ArgumentParser) -> None:
    """Give a command the options that say which pairs."""
    add = made.add_argument
    add("--split", choices=SPLITS, default="val", help="whose pairs (default: val)")
    add("--pairs", type=int, metavar="N", help="so many of them, drawn by --seed (default: all)")
    add("--seed", type=int, default=0, help="of the draw; more pairs hold the fewer (default: 0)")
    add("--data-dir", type=Path, help="default: HIPREG_DATA, then data/")


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    options = parser().parse_args(arguments)
    peers = chosen(options.names)
    changes = settings_of(options.set, [peer.name for peer in peers])
    threads = threads_of(options)
    cohort = load_cohort(options.dataset, data_dir=options.data_dir)
    size = crop(
        {"images": None if options.images == "whole" else "tight"}, cohort, "images", multiple=16
    )
    methods = [of_peer(p, changed(p, changes.get(p.name, {})), size) for p in peers]
    if options.model:
        methods.append(of_model(options.model, partial(refinement, options), options.device))
    pairs = drawn(pairs_of(cohort, options.split), options.pairs, options.seed)
    out = options.out or runs_root() / "peers" / options.split
    with writing(out):
        about = circumstances(cohort, options.split, threads, told(arguments))
        records = [open_record(out / f"{m.name}.json", described(m, about)) for m in methods]
        register_all(methods, records, pairs, cohort)
    print(f"Metrics of every pair, settings and times: {out}")
    ours = ["--reference", methods[-1].name] if options.model else []
    return subprocess.run([sys.executable, str(TABLE), str(out), *ours], check=False).returncode


def threads_of(options: argparse.Namespace) -> int:
    """The number of threads of a command line.

    Raises:
        PlainError: It is below 1.
    """
    threads = len(os.sched_getaffinity(0)) if options.threads is None else int(options.threads)
    if threads < 1:
        raise PlainError(f"--threads is at least 1, got {threads}")
    return threads


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """A folder of records, which is there and this process's alone.

    Raises:
        PlainError: Another process is writing there.
    """
    out.mkdir(parents=True, exist_ok=True)
    with only_one(out / ".lock") as alone:
        if not alone:
            raise PlainError(f"{out}: another call is writing there; give another --out")
        yield


def circumstances(cohort: Cohort, split: str, threads: int, command: str) -> dict[str, Any]:
    """What the records of all methods of a call say alike."""
    return {
        "data": {
            "dataset": cohort.description.name,
            "fingerprint": cohort.fingerprint,
            "split": split,
        },
        "threads": threads,
        "commands": [command],
    }


def register_all(
    methods: Sequence[Method],
    records: Sequence[Record],
    pairs: Sequence[CasePair],
    cohort: Cohort,
    worker: type[Worker | Here] = Worker,
) -> None:
    """Register every pair by every method that has not done it, and put it on record.

    Pair by pair rather than method by method: what else the machine does meanwhile slows all of
    them alike, and what a kill leaves is of the same pairs.

    Args:
        methods: Who registers.
        records: Theirs, which hold what they have done.
        pairs: What is registered.
        cohort: Its images and labels.
        worker: Where: each in a process of its own, or all here.
    """
    todo = [
        (pair, at)
        for pair in pairs
        for at, record in enumerate(records)
        if pair not in record.done
    ]
    threads = [int(record.about["threads"]) for record in records]
    labels = sorted(cohort.description.labels)
    # Times differ by method: the mean of all so far foretells better than that of the last ones.
    with (
        ExitStack() as stack,
        tqdm(total=len(todo), unit="pair", smoothing=0, disable=None) as bar,
    ):
        workers: dict[int, Worker | Here] = {}
        for pair, at in todo:
            method = methods[at]
            bar.set_description(method.name)
            if at not in workers:
                workers[at] = worker(method.name, method.load, threads=threads[at])
                stack.enter_context(workers[at])
            found = workers[at].register(*images_of(pair, cohort, method.size))
            job = job_of(pair, cohort, on_grid(found.field, cohort.size))
            rows = evaluate_pair(job, labels)
            records[at].add(pair, rows, round(found.seconds, 4), round(found.cpu_seconds, 4))
            bar.update()


def images_of(pair: CasePair, cohort: Cohort, size: Size) -> tuple[Any, Any]:
    """Moving and fixed image of a pair, their central crops."""
    images = cohort.crop(size).images
    fixed, moving = cohort.indices([pair.fixed, pair.moving])
    return images[moving].copy(), images[fixed].copy()


def job_of(pair: CasePair, cohort: Cohort, field: Any) -> PairJob:
    """A displacement to be measured, with the pair's labels."""
    fixed, moving = cohort.indices([pair.fixed, pair.moving])
    return PairJob(
        fixed=pair.fixed,
        moving=pair.moving,
        fixed_label=cohort.labels[fixed],
        moving_label=cohort.labels[moving],
        # Exactly none, rather than none up to rounding.
        displacement=field if field.any() else None,
    )


def drawn(pairs: Sequence[CasePair], count: int | None, seed: int) -> list[CasePair]:
    """Some of the pairs, in their order; those of a smaller count are among those of a larger.

    Raises:
        PlainError: There are not so many.
    """
    if count is None:
        return list(pairs)
    if not 1 <= count <= len(pairs):
        raise PlainError(f"--pairs is 1 to {len(pairs)} of this split, got {count}")
    order = list(pairs)
    random.Random(seed).shuffle(order)
    return sorted(order[:count])


def settings_of(words: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The changed settings of each program: ``elastix.grid_spacing=6``, values as in Python.

    Raises:
        PlainError: A word is of another form, or of a program that is not run.
    """
    found: dict[str, dict[str, Any]] = {}
    for word in words:
        key, sign, value = word.partition("=")
        name, dot, setting = key.partition(".")
        if not (sign and dot and setting):
            raise PlainError(f"--set takes NAME.KEY=VALUE, got {word!r}")
        if name not in names:
            raise PlainError(f"--set {word}: {name!r} is none of {', '.join(names)}")
        try:
            found.setdefault(name, {})[setting] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found.setdefault(name, {})[setting] = value
    return found


def described(method: Method, about: dict[str, Any]) -> dict[str, Any]:
    """What a method's record says of it."""
    host = machine()
    code = code_version(ROOT)
    return {
        "format": FORMAT,
        "method": method.name,
        "title": method.title,
        "kind": method.kind,
        "labels": method.labels,
        "settings": dict(method.settings),
        "size": list(method.size),
        "versions": method.versions,
        "metric_definitions": DEFINITIONS,
        "cpu": host["cpu"],
        "cpu_count": host["cpu_count"],
        "python": host["python_version"],
        "git": {"commit": code.commit, "dirty": code.dirty},
        **about,
    }


def told(arguments: Sequence[str], program: str = PROGRAM) -> str:
    """The command line without the folders of this machine."""
    words: list[str] = [program]
    skip = False
    for word in arguments:
        name, sign, _ = word.partition("=")
        if skip or name in _UNTOLD:
            skip = not skip and not sign
            continue
        # Of a model that is a file or a run's folder the name will do.
        before, sign, value = word.rpartition("=")
        words.append(redact(f"{before}{sign}{Path(value).name if '/' in value else value}"))
    return " ".join(words)
