"""The report of a study: ``python studies/report.py NAME``.

Writes one self-contained HTML page and each of its figures as PNG: history, importance with its
uncertainty, slices, contours, Pareto front, intermediate values, timeline, Dice against cost. The
study is read and never changed, so it may be running.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from tqdm import tqdm

from experiments.errors import PlainError
from experiments.run_folder import write_text
from experiments.words import run_command
from hipreg.evaluation.figures.canvas import save_figure
from pages.look import LIGHT
from studies.reporting.page import html, parts
from studies.reporting.view import View
from studies.reporting.words import outcome
from studies.storage import (
    command_on,
    is_database,
    load_study,
    open_storage,
    storage_url,
    studies_root,
)

PROGRAM = "python studies/report.py"


def main(arguments: Sequence[str]) -> int:
    """Write the report of a study.

    Raises:
        PlainError: There is no such study, or its storage cannot be read.
    """
    options = _parser().parse_args(arguments)
    url = _existing(options)
    view = View.of(load_study(open_storage(url), options.name))
    folder = options.out or studies_root() / options.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = f"--out {folder}: no folder that can be written ({error.strerror})"
        raise PlainError(why) from error
    out = [] if options.out is None else ["--out", str(options.out)]
    command, found = command_on(view.name, url, PROGRAM, *out), parts(view)
    with tqdm(found, desc="drawing", unit="figure", disable=None, leave=False) as bar:
        for part in bar:
            path = folder / f"{part.name}.png"
            # What an earlier report drew, and this one cannot, would pass for this study's.
            path.unlink(missing_ok=True)
            drawn = None if part.picture is None else part.picture.draw(LIGHT)
            if drawn is not None:
                save_figure(drawn, path, command)
    write_text(folder / "report.html", html(view, found, command))
    lines = list(outcome(view))
    write_text(folder / "outcome.txt", "\n".join([command, "", *lines]) + "\n")
    print("\n".join(lines))
    print(f"Wrote {folder / 'report.html'}")
    return 0


def _existing(options: argparse.Namespace) -> str:
    """The storage; a journal file must be there, since to open one makes it."""
    url = storage_url(options.storage, options.name)
    if not is_database(url) and not Path(url).is_file():
        folder = Path(url).parent
        there = sorted(path.stem for path in folder.glob("*.journal")) if folder.is_dir() else []
        raise PlainError(
            f"no study in {url}; there are in {folder}: {', '.join(there) or 'none'}. A study in "
            "a database is named with --storage URL"
        )
    return url


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="of the study")
    parser.add_argument(
        "--storage",
        metavar="URL",
        help="database, or path of a journal file (default: HIPREG_STUDY_STORAGE, else "
        "results/studies/NAME.journal)",
    )
    parser.add_argument(
        "--out", type=Path, help="folder of page and figures (default: results/studies/NAME)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
