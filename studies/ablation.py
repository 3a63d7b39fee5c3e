"""Trains a complete grid of configurations and seeds, and nothing twice.

    python studies/ablation.py --configs baseline sym "sym pretrain" --seeds 0 1 2
    python studies/ablation.py --configs quick "quick no_dice" --seeds 0 --workers 2 with epochs=5

Each of --configs is what follows ``with`` in train.py: named configurations and settings;
``baseline`` is that without any. What follows ``with`` here holds for all. A cell whose training
is recorded already, of the same configuration, code and data, is taken from the records; one that
was stopped is resumed from its checkpoint. The same command goes on after any end, and several
calls at once divide the grid between them.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.errors import PlainError
from experiments.run_folder import DEFAULT_RUNS, runs_root
from experiments.runs.tables import Column, Table, write
from experiments.signals import STOP
from experiments.words import run_command
from studies.cell_work import Grid
from studies.cells import Cell, make_cells, row_options
from studies.code import training_code
from studies.configuration import data_of
from studies.standing import Present, Standing, place_of
from studies.work import TRAIN
from studies.workers import shares, visible_gpus

PROGRAM = "python studies/ablation.py"


def main(arguments: Sequence[str], program: Sequence[str] = TRAIN) -> int:
    """Train what is missing of a grid.

    Args:
        arguments: the command line.
        program: what trains a cell.

    Raises:
        PlainError: a configuration, its data or its weights cannot be had.
    """
    options, overrides = _options(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    runs = runs_root().absolute()
    cells = make_cells(options.configs, options.seeds, overrides, runs)
    places = {place_of(cell): cell for cell in cells}
    now = Present(
        None if options.any_code else training_code(),
        {place: data_of(cell.config) for place, cell in places.items()},
    )
    grid = Grid(cells, runs, now, program)
    write([_plan(grid.standings())])
    if options.dry_run:
        return 0
    gpus = visible_gpus()
    divided = shares(
        options.workers,
        sorted(os.sched_getaffinity(0)),
        [str(place) for place in range(len(gpus))] if len(gpus) > 1 else [],
    )
    with STOP.listening():
        grid.work(divided)
    return _say(grid, runs)


def _say(grid: Grid, runs: Path) -> int:
    """How it ended, and the command for the table; returns the exit status."""
    for cell in grid.cells:
        if cell.key in grid.failed:
            print(f"FAILED: {cell}: {grid.failed[cell.key]}")
    if STOP.asked is not None:
        print("Stopped; the same command goes on with it")
        return 128 + STOP.asked
    if grid.failed:
        print("The same command trains what failed once more.")
    if grid.done:
        print("The table of this grid:")
        print(f"  {table_command(grid, runs)}")
    return 1 if grid.failed else 0


def table_command(grid: Grid, runs: Path) -> str:
    """The command line that makes the table of exactly the runs of a grid."""
    cells: list[Cell] = [cell for cell in grid.cells if cell.key in grid.done]
    words = ["python", "results/ablation.py", "--rows", *row_options(cells)]
    words += ["--ids", *(str(grid.done[cell.key].id) for cell in cells)]
    if runs != DEFAULT_RUNS:
        words += ["--runs", str(runs)]
    return shlex.join(words)


def _plan(standings: Sequence[tuple[Cell, Standing]]) -> Table:
    table = Table(
        [
            Column("Configuration"),
            Column("Seed", right=True),
            Column("To do"),
            Column("Run", right=True),
            Column("Why", wraps=True),
        ]
    )
    for cell, found in standings:
        run = "" if found.run is None else str(found.run.id)
        table.rows.append([cell.row, str(cell.seed), found.do, run, found.why])
    return table


def _options(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    words = list(arguments)
    at = words.index("with") if "with" in words else len(words)
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=f"{PROGRAM} --configs CONFIG ... --seeds SEED ... [options] [with SETTING ...]",
    )
    add = parser.add_argument
    add("--configs", nargs="+", required=True, metavar="CONFIG", help="the rows of the grid")
    add("--seeds", nargs="+", type=int, default=[0], metavar="SEED", help="of each row (0)")
    add("--workers", type=int, default=1, metavar="K", help="trainings side by side (1)")
    add("--any-code", action="store_true", help="take and resume runs of other code too")
    add("--dry-run", action="store_true", help="print the grid and what would be done")
    options = parser.parse_args(words[:at])
    if options.workers < 1:
        raise PlainError(f"--workers needs at least 1, got {options.workers}")
    return options, words[at + 1 :]


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
