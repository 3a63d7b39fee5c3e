"""Make and check submissions to the Learn2Reg challenge.

python experiments/submission.py with run=3 --out submission.zip           # 2020, validation
python experiments/submission.py with run=3 form=today split=test --out test.zip
python experiments/submission.py --fields FOLDER --out submission.zip      # fields that exist
python experiments/submission.py --check submission.zip                    # names every fault

``--check`` sees by the files' names which form it is, unless ``form=`` says what it should be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from tqdm import tqdm

from experiments.errors import PlainError
from experiments.prediction import (
    Prediction,
    add_refinement,
    cohort_of,
    device_of,
    pairs_of,
    predictions,
    refinement,
)
from experiments.trained import trained_model
from experiments.words import run_command, split_words
from hipreg.data import CasePair, describe, pairs_for
from hipreg.evaluation.found import found_fields
from hipreg.evaluation.submission import FORMS, Form, write_submission
from hipreg.evaluation.validation import form_of, validate_submission

SPLITS = ("val", "test")


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--run", default="sym", help="run or weights (default: sym)")
    made.add_argument("--fields", type=Path, help="folder or zip of fields, instead of a run")
    made.add_argument("--check", type=Path, help="folder or zip to check, instead of making one")
    made.add_argument("--split", choices=SPLITS, default="val")
    made.add_argument("--form", choices=FORMS, help="default: 2020, of --check what is there")
    made.add_argument(
        "--hippocampus-only",
        action="store_true",
        help="without the zero fields of the other tasks of 2020",
    )
    made.add_argument("--out", type=Path, help="the zip to make")
    made.add_argument("--overwrite", action="store_true", help="replace an existing zip")
    made.add_argument("--data-dir", type=Path, help="default: HIPREG_DATA, then data/")
    add_refinement(made)
    return made


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    options = parser().parse_args(split_words(arguments, ("run", "split", "form", "device")))
    pairs = pairs_for(describe("hippocampus"), options.split)
    given: Path | None = options.check
    form: Form = options.form or ("2020" if given is None else form_of(given))
    # The pairs of the other tasks' test sets were never published beside the hippocampus.
    others = form == "2020" and options.split == "val" and not options.hippocampus_only
    if given is not None:
        return check(given, form, pairs, others)
    if options.out is None or options.out.suffix != ".zip":
        raise PlainError("say where the submission goes: --out NAME.zip")
    if options.out.exists() and not options.overwrite:
        raise PlainError(
            f"{options.out} is there already; nothing was overwritten. Choose another name, or "
            "say --overwrite"
        )
    with tqdm(total=len(pairs), desc="writing", unit="pair", disable=None) as bar:
        write_submission(
            options.out,
            source(options, pairs),
            pairs,
            form=form,
            other_tasks=others,
            progress=lambda name: bar.update() and None,
        )
    return check(options.out, form, pairs, others)


def source(options: argparse.Namespace, pairs: Sequence[CasePair]) -> Iterator[Prediction]:
    """The fields to submit: those that exist, or the predictions of a run."""
    if options.fields is not None:
        return ((found.pair, found.displacement) for found in found_fields(options.fields))
    model = trained_model(options.run).model
    if model.dataset != "hippocampus":
        raise PlainError(
            f"{options.run}: trained on {model.dataset}, and not on the challenge's MRI"
        )
    cohort = cohort_of(model, options.data_dir)
    pairs_of(cohort, options.split)  # says what is missing before anything is predicted
    wanted = refinement(options, model)
    return predictions(model, cohort, pairs, wanted, device_of(options))


def check(path: Path, form: Form, pairs: Sequence[CasePair], others: bool) -> int:
    """Say every fault of a submission; returns the exit status."""
    faults = validate_submission(path, form, pairs, other_tasks=others)
    if not faults:
        tasks = "with the zero fields of tasks 1 to 3" if others else "the hippocampus alone"
        print(f"{path}: complete and sound, {len(pairs)} pairs, form {form}, {tasks}")
        return 0
    print(f"{path}: {len(faults)} fault(s)", file=sys.stderr)
    for fault in faults:
        print(f"  {fault.name}: {fault.message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
