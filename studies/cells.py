"""The cells of an ablation: named configurations times seeds, each a whole configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.configuration import resolve
from experiments.errors import PlainError
from experiments.plain import json_ready
from experiments.pretrained import starting_weights
from experiments.resume import CHANGEABLE
from experiments.settings import architecture

BASELINE = "baseline"
"""The configuration without any name."""

RUNNING = frozenset(CHANGEABLE) - {"epochs", "max_minutes", "eval_every"} | {
    "resume_from",
    "study",
    "trial",
}
"""Entries that say how a training is run and not what it comes to."""


@dataclass(frozen=True)
class Cell:
    """One training of the grid.

    Attributes:
        row: the configuration as it was asked for.
        seed: of the training.
        arguments: of train.py, after ``with``.
        config: all entries, as a run records them.
        given: names of the entries that were set one by one.
        weights: the file that it starts from; None for none.
    """

    row: str
    seed: int
    arguments: tuple[str, ...]
    config: Mapping[str, Any]
    given: frozenset[str]
    weights: Path | None

    @property
    def key(self) -> str:
        """Stands for all that decides what the training comes to."""
        text = json.dumps(essential(self.config), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def epochs(self) -> int:
        """Of the whole training."""
        return int(self.config["epochs"])

    def __str__(self) -> str:
        return f"{self.row}, seed {self.seed}"


def make_cells(
    rows: Sequence[str], seeds: Sequence[int], overrides: Sequence[str], runs: Path
) -> list[Cell]:
    """The whole grid, row by row.

    Args:
        rows: words of named configurations and settings each, as in ``sym pretrain``.
        seeds: of each row.
        overrides: arguments of train.py that all cells share.
        runs: the folder of all runs, where pretrained weights are looked for.

    Raises:
        PlainError: a name or setting is unknown, two rows are one, or weights are missing.
    """
    for name, values in (("--configs", rows), ("--seeds", seeds)):
        if not values:
            raise PlainError(f"{name} names none")
    found: list[Cell] = []
    rows_by_key: dict[str, str] = {}
    for row in rows:
        words = [word for word in row.split() if word != BASELINE]
        for seed in dict.fromkeys(seeds):
            cell = _cell(row, seed, (*words, *overrides, f"seed={seed}"), runs)
            other = rows_by_key.setdefault(cell.key, row)
            if other is not row or cell.key in {one.key for one in found}:
                raise PlainError(f"--configs: {other!r} and {row!r} are one configuration")
            found.append(cell)
    return found


def essential(config: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a configuration that decide what its training comes to."""
    return {key: value for key, value in config.items() if key not in RUNNING}


def row_options(cells: Sequence[Cell]) -> list[str]:
    """What ``results/ablation.py --rows`` takes for each row of the grid, in its order."""
    by_row: dict[str, Cell] = {}
    for cell in cells:
        by_row.setdefault(cell.row, cell)
    firsts, options = list(by_row.values()), []
    for cell in firsts:
        alike = [one for one in firsts if one.config["name"] == cell.config["name"]]
        if len(alike) == 1:
            options.append(str(cell.config["name"]))
            continue
        keys = sorted(key for one in alike for key in _differing(cell.config, one.config))
        conditions = [f"{key}={_word(cell.config[key])}" for key in dict.fromkeys(keys)]
        options.append(f"{cell.row.replace(':', ' ')}: {' '.join(conditions)}")
    return options


def _cell(row: str, seed: int, arguments: tuple[str, ...], runs: Path) -> Cell:
    try:
        resolved = resolve(arguments)
    except PlainError as error:
        why = f"configuration {row!r}: {error}; {BASELINE!r} is that without any name"
        raise PlainError(why) from error
    config = resolved.config
    try:
        weights = starting_weights(config["init_from"], architecture(config), runs)
    except ValueError as error:
        raise PlainError(f"configuration {row!r}: {error}") from error
    if weights is not None and not weights.is_file():
        raise PlainError(f"configuration {row!r}: init_from={weights} is no file")
    return Cell(row, seed, arguments, json_ready(config), resolved.given - {"seed"}, weights)


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    one, other = essential(first), essential(second)
    return [key for key in one if key != "seed" and one[key] != other.get(key)]


def _word(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
