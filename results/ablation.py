"""Prints the ablation table of all recorded runs and writes it as Markdown, CSV and LaTeX.

``python results/ablation.py [--runs DIR] [--out DIR] [--split val]``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    # Run as a file, the folder of this file is on the path, and the root should be.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.run_folder import runs_root, write_text
from results import tables
from results.comparison import compare
from results.runs import load_runs

ROOT = Path(__file__).resolve().parents[1]
_FORMATS = {"md": tables.markdown, "csv": tables.csv_text, "tex": tables.latex}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and write the tables.

    Args:
        arguments: the command line without the program; None for the process's own.

    Returns:
        The exit status: 1 where no finished run was found, else 0.
    """
    options = _options(arguments)
    comparisons, left_out = compare(load_runs(options.runs), options.split)
    if not comparisons:
        print(f"No finished run with metrics of the split {options.split!r} in {options.runs}.")
        print("Make one: python experiments/train.py with quick")
        _print_left_out(left_out)
        return 1
    head = tables.provenance(comparisons, _command(options.split))
    for comparison in comparisons:
        print(tables.markdown_table(comparison), end="\n\n")
    if len(comparisons) > 1:
        print("Runs on other data or other pairs are not mixed: they stand in tables apart.\n")
    print(tables.LEGEND, end="\n\n")
    _print_left_out(left_out)
    options.out.mkdir(parents=True, exist_ok=True)
    stem = "ablation" if options.split == "val" else f"ablation_{options.split}"
    for suffix, render in _FORMATS.items():
        path = options.out / f"{stem}.{suffix}"
        write_text(path, render(comparisons, head))
        print(f"Wrote {path}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python results/ablation.py", description=__doc__)
    runs = runs_root()
    parser.add_argument("--runs", type=Path, default=runs, help="folder of the recorded runs")
    out = ROOT / "results" / "tables"
    parser.add_argument("--out", type=Path, default=out, help="folder the tables are written to")
    parser.add_argument("--split", default="val", help="split that was evaluated")
    options = parser.parse_args(arguments)
    if options.runs.exists() and not options.runs.is_dir():
        parser.error(f"--runs needs a folder, got {options.runs}")
    return options


def _command(split: str) -> str:
    # Folders are left out: they differ between machines, and the records are named by themselves.
    return "python results/ablation.py" + ("" if split == "val" else f" --split {split}")


def _print_left_out(left_out: Sequence[str]) -> None:
    if left_out:
        print("Left out:", *left_out, sep="\n  run ", end="\n\n")


if __name__ == "__main__":
    sys.exit(main())
