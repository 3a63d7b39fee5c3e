"""Cross-validation inside the training cases, for the choices behind a recipe.

    python -m experiments.cross_validation --folds 5 --out FOLDER with best threads=1
    python -m experiments.cross_validation --folds 5 --out FOLDER \\
        --segment wide="widths=[64,128,192]" --register long="epochs=40" with best threads=1

For each fold of all training cases, a segmentation and a registration guided by it are trained
without the fold, and pairs of the fold's own cases are registered: by the recipe as it is (the
reference), with one choice at test time changed at a time, and by the networks of each --segment
and --register. Validation cases are not touched, and no epoch is chosen by what is measured.

After `with` come a recipe (best, quick or debug) and entries of all trainings. Called again, it
goes on with what is not done. Runs lie in FOLDER/runs, metrics of every pair and case in
FOLDER/pairs and FOLDER/cases, tables beside.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.cross_validation.campaign import campaign_of
from experiments.cross_validation.plan import REGISTER, SEGMENT, plan_of
from experiments.cross_validation.training import StoppedError
from experiments.errors import PlainError
from experiments.omniboard.process import only_one
from experiments.peers.command import told
from experiments.signals import STOP

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "results" / "cross_validation.py"
PROGRAM = "python -m experiments.cross_validation"


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(
        prog=PROGRAM, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add("--folds", type=int, default=5, help="parts of the training cases (default: 5)")
    add("--out", type=Path, required=True, help="folder for runs, metrics and tables")
    for kind, what in ((SEGMENT, "segmentation"), (REGISTER, "registration")):
        add(
            f"--{kind}",
            action="append",
            default=[],
            metavar='NAME="ENTRIES"',
            help=f"also with this {what}: entries that differ from the recipe (repeatable)",
        )
    add("--dry-run", action="store_true", help="print the plan and how far it is, and do nothing")
    return made


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    words = list(arguments)
    at = words.index("with") if "with" in words else len(words)
    options = parser().parse_args(words[:at])
    plan = plan_of(words[at + 1 :], options.folds, options.segment, options.register)
    campaign = campaign_of(plan, options.out.resolve())
    if options.dry_run:
        campaign.settle(write=False)
        print(campaign.told())
        return 0
    campaign.runs.mkdir(parents=True, exist_ok=True)
    with only_one(campaign.out / ".lock") as alone, STOP.listening():
        if not alone:
            raise PlainError(f"{campaign.out}: another call is at work there; give another --out")
        campaign.settle(write=True)
        try:
            campaign.go({"commands": [told(arguments, PROGRAM)]})
        except StoppedError:
            print("Stopped; the same command goes on with it", flush=True)
            return 128 + (STOP.asked or 0)
    print(f"Runs, metrics of every pair and case, and tables: {campaign.out}", flush=True)
    return subprocess.run([sys.executable, str(TABLE), str(campaign.out)], check=False).returncode
