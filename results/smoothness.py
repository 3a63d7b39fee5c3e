"""One model at several weights of its smoothness, from what ``experiments.smoothness`` recorded.

    python results/smoothness.py FOLDER

Overlap, distance and smoothness at each factor of the weights, on the pairs that all of them have
registered. They are printed, and written as ``smoothness.md`` beside the records. The Pareto
figure draws the folder with ``python results/figures.py --smoothness FOLDER``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Run as a file, the folder of this file is on the path, and the root should be.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.errors import PlainError
from experiments.run_folder import write_text
from experiments.smoothness.record import FACTOR, MODEL, WEIGHTS, of_record, refuse_mixture
from pages.grid import Cell, Grid, number
from results.comparison import Comparison
from results.formats.text import aligned, markdown_grid, wrapped
from results.metrics import METRICS
from results.peers import PeerResult, load_peers, peer_row, refuse_other, restricted
from results.rows import Row

PROGRAM = "python results/smoothness.py"
RECORDER = "python -m experiments.smoothness"
SHOWN = ("dice", "dice30", "hd95", "sdlogj")


@dataclass(frozen=True)
class Curve:
    """A model at several factors of its smoothness weights.

    Attributes:
        results: One a factor, in ascending order, all on the same pairs.
    """

    results: tuple[PeerResult, ...]

    @property
    def model(self) -> str:
        """Its name, which is that of its row in other tables."""
        return str(self._settings[MODEL])

    @property
    def factors(self) -> tuple[float, ...]:
        """What the weights were multiplied by."""
        return tuple(of_record(one.about)[0] for one in self.results)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The figures at each factor."""
        return tuple(peer_row(one) for one in self.results)

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """What was registered."""
        return self.results[0].table.pairs

    @property
    def commands(self) -> list[str]:
        """That recorded it."""
        return list(dict.fromkeys(c for one in self.results for c in one.about["commands"]))

    @property
    def told(self) -> str:
        """What the line in a figure is."""
        return (
            f"{self.model} with the weights of {' and '.join(WEIGHTS)} in its instance "
            f"optimisation times {', '.join(f'{one:g}' for one in self.factors)}"
        )

    @property
    def provenance(self) -> list[str]:
        """Lines for the head of a file."""
        code = sorted(
            {
                f"{git['commit']}{'+' * git['dirty']}"
                for git in (r.about["git"] for r in self.results)
            }
        )
        return [
            f"Line: {self.told}; {len(self.pairs)} pairs; weights {self._settings['weights']}; "
            f"code {', '.join(code)}",
            *(f"  recorded by: {command}" for command in self.commands),
        ]

    @property
    def _settings(self) -> dict[str, Any]:
        return dict(self.results[0].about["settings"])


def load_curve(folder: Path) -> Curve:
    """The factors of a folder, on the pairs that all of them have registered.

    Raises:
        ValueError: There are none, they have no pair in common, a record is damaged, or they
            differ in more than the factor.
    """
    found = load_peers(folder, RECORDER)
    try:
        refuse_mixture([one.about for one in found], str(folder))
        found.sort(key=lambda one: of_record(one.about)[0])
    except PlainError as error:
        raise ValueError(str(error)) from error
    common = set.intersection(*(set(one.table.pairs) for one in found))
    if not common:
        raise ValueError(
            f"{folder}: its {len(found)} factors have no pair in common; call {RECORDER} again "
            "with the same --pairs and --seed for all of them"
        )
    return Curve(tuple(replace(one, table=restricted(one.table, common)) for one in found))


def curve_beside(table: Comparison, folder: Path) -> Curve:
    """A folder's curve for a figure of the rows of a table.

    Raises:
        ValueError: As :func:`load_curve`, or it was measured on other data than the table, or is
            one factor only.
    """
    curve = load_curve(folder)
    if len(curve.results) < 2:
        raise ValueError(
            f"{folder}: a line needs two factors, found {curve.results[0].name} alone; call "
            f"{RECORDER} with more --factors"
        )
    for one in curve.results:
        refuse_other(table, one, folder)
    return curve


def grid_of(curve: Curve) -> Grid:
    """The table: a line a factor."""
    metrics = [METRICS[key] for key in SHOWN]
    names = {"sdlogj": "SDlogJ"}
    heads = [f"{names.get(m.key, m.title)} {m.arrow}" for m in metrics]
    lines = []
    for one, row in zip(curve.results, curve.rows, strict=True):
        by, weights = of_record(one.about)
        values = [number(row.figures[metric.key].value, metric.digits) for metric in metrics]
        values.append(number(100 * row.figures["folding"].value, 4))
        values.append(number(one.cpu_seconds, 2))
        lines.append((f"{by:g}", *(f"{weights[name]:g}" for name in WEIGHTS), *values))
    about = curve.results[0].about["data"]
    return Grid(
        f"{curve.model} by smoothness weight: {about['dataset']}, {about['split']}, "
        f"{len(curve.pairs)} pairs",
        (FACTOR.capitalize(), *map(str.capitalize, WEIGHTS), *heads, "Folding % ↓", "CPU s"),
        tuple(tuple(map(Cell, line)) for line in lines),
    )


def notes(curve: Curve) -> list[str]:
    """How to read the table."""
    settings = curve.results[0].about["settings"]
    words = ", ".join(
        f"{key} {value}" for key, value in settings["goal"].items() if key not in WEIGHTS
    )
    meanings = ". ".join(METRICS[key].meaning for key in SHOWN).replace("Jacobian:", "SDlogJ:")
    return [
        f"At each factor the weights of {' and '.join(WEIGHTS)} in the instance optimisation of "
        f"{curve.model} (weights {settings['weights']}, at most {settings['steps']} steps"
        f"{f', {words}' if words else ''}) are multiplied by it; 1 leaves them as they are. "
        "The same network predicts at all of them, and none was chosen by these pairs.",
        f"{meanings}. Folding: share of voxels with J <= 0. CPU s: processor time a pair, median.",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the table; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="of the records")
    folder = parser.parse_args(arguments).folder
    try:
        curve = load_curve(folder)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    grid, said = grid_of(curve), notes(curve)
    print(aligned(grid, sys.stdout.isatty()), end="\n\n")
    print("\n".join(map(wrapped, said)))
    head = "\n".join(["<!--", *curve.provenance, "-->"])
    text = "\n\n".join([head, f"**{grid.title}**", markdown_grid(grid), *said])
    write_text(folder / "smoothness.md", text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
