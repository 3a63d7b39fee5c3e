"""Register with trained weights: the pairs of a split, or any two images.

    python experiments/predict.py with run=3 split=val --out predictions --save-submission
    python experiments/predict.py with run=sym --moving a.nii.gz --fixed b.nii.gz --out a_to_b
    python experiments/predict.py with run=sym --pairs pairs.csv --out registered

``run`` is a run's number or folder, a .pt or .safetensors file, or the name of published weights.
"""

from __future__ import annotations

import argparse
import csv
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import numpy as np
from tqdm import tqdm

from experiments.errors import PlainError
from experiments.prediction import (
    SPLITS,
    Prediction,
    add_refinement,
    cohort_of,
    device_of,
    pairs_of,
    predictions,
    refinement,
)
from experiments.table import metrics_table
from experiments.trained import trained_model
from experiments.words import run_command, split_words
from hipreg.api import Options, register
from hipreg.data import CasePair, Cohort
from hipreg.data.brain_frame import SIDES
from hipreg.data.frame import ALIGNMENTS
from hipreg.data.io import write_nifti
from hipreg.data.itk import image_with_header
from hipreg.data.placement import Placement
from hipreg.evaluation import PairJob, aggregate, evaluate_pairs, warp_label, write_rows
from hipreg.evaluation.fields import write_field
from hipreg.evaluation.figures import PanelVolumes
from hipreg.files import filling, refuse_existing
from hipreg.models import Model

COLUMNS = ("moving", "fixed", "moving_label", "fixed_label", "name")


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    made = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--run", default="sym", help="run or weights (default: sym)")
    made.add_argument("--split", choices=SPLITS, help="register the pairs of a split")
    made.add_argument(
        "--drawn",
        type=int,
        metavar="N",
        help="not the split's own pairs, but N of all ordered pairs of its cases, the same "
        "N every time (0: all)",
    )
    made.add_argument("--moving", type=Path, help="image to be deformed (.nii, .nii.gz)")
    made.add_argument("--fixed", type=Path, help="image to register to")
    made.add_argument("--moving-label", type=Path, help="labels to be warped and measured")
    made.add_argument("--fixed-label", type=Path, help="labels to measure against")
    made.add_argument("--pairs", type=Path, help=f"CSV of many: {', '.join(COLUMNS)}")
    made.add_argument("--out", type=Path, required=True, help="folder for the results")
    made.add_argument("--overwrite", action="store_true", help="replace earlier results in there")
    made.add_argument("--data-dir", type=Path, help="default: HIPREG_DATA, then data/")
    made.add_argument(
        "--save-submission", action="store_true", help="fields in the challenge's form of 2020"
    )
    made.add_argument(
        "--save-deformed", action="store_true", help="warped images and labels of every pair"
    )
    made.add_argument(
        "--save-grid", action="store_true", help="sampling positions of every pair, in voxels"
    )
    made.add_argument(
        "--align",
        choices=(*ALIGNMENTS, *SIDES),
        default="auto",
        help="what brings two images together; left or right: that hippocampus of whole brains",
    )
    made.add_argument(
        "--centre",
        type=float,
        nargs=3,
        metavar=("X", "Y", "Z"),
        help="where to register, mm in the fixed image's world",
    )
    add_refinement(made)
    return made


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns the exit status."""
    options = parser().parse_args(split_words(arguments, ("run", "split", "device")))
    ways = [options.split, options.pairs, options.moving or options.fixed]
    if sum(way is not None for way in ways) != 1 or (options.moving and not options.fixed):
        raise PlainError(
            "say what to register: split=val (or train, test), or --moving and --fixed, or --pairs"
        )
    if options.drawn is not None and options.split is None:
        raise PlainError("--drawn takes pairs of a split's cases: say which, as in split=val")
    refuse_existing(options.out, overwrite=options.overwrite)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    model = trained_model(options.run).model
    if options.split is not None:
        return predict_split(model, options)
    if options.pairs is not None:
        return predict_many(model, options)
    job = Job(
        options.out, options.moving, options.fixed, options.moving_label, options.fixed_label
    )
    predict_pair(model, job, options)
    print(f"Field, warped image, picture and metrics: {options.out}")
    return 0


@dataclass(frozen=True, slots=True)
class Job:
    """Two images to register, their labels where there are some, and where results go."""

    out: Path
    moving: Path
    fixed: Path
    moving_label: Path | None
    fixed_label: Path | None


def predict_pair(model: Model, job: Job, options: argparse.Namespace) -> dict[str, Any]:
    """Register two files and write everything about them; returns the metrics."""
    pair = register(
        job.moving,
        job.fixed,
        model,
        moving_label=job.moving_label,
        fixed_label=job.fixed_label,
        options=Options(
            alignment=options.align,
            centre=options.centre,
            refinement=refinement(options, model),
            device=str(device_of(options)),
        ),
    )
    pair.save(job.out, overwrite=options.overwrite)
    return pair.metrics()


def predict_many(model: Model, options: argparse.Namespace) -> int:
    """Register the pairs of a CSV file, each to its own folder; a bad one stops no other."""
    jobs = read_jobs(options.pairs, options.out)
    failed = []
    for job in tqdm(jobs, desc="registering", unit="pair", disable=None):
        try:
            refuse_existing(job.out, overwrite=options.overwrite)
            predict_pair(model, job, options)
        except (ValueError, OSError) as error:
            failed.append(f"{job.out.name}: {error}")
    print(f"{len(jobs) - len(failed)} of {len(jobs)} pairs registered: {options.out}")
    for message in failed:
        print(f"error: {message}", file=sys.stderr)
    return 1 if failed else 0


def read_jobs(path: Path, out: Path) -> list[Job]:
    """The pairs of a CSV file; relative paths count from its folder.

    Raises:
        PlainError: The file is unreadable, has other columns, or two rows of one name.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns, rows = set(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PlainError(f"{path}: cannot be read ({error})") from error
    if not {"moving", "fixed"} <= columns <= set(COLUMNS):
        raise PlainError(
            f"{path}: got the columns {sorted(columns)}; expected moving and fixed, and "
            "where there are some moving_label, fixed_label and name"
        )
    jobs = []
    for number, row in enumerate(rows, start=1):
        files = {key: path.parent / row[key] if row.get(key) else None for key in COLUMNS[:4]}
        if files["moving"] is None or files["fixed"] is None:
            raise PlainError(f"{path}, row {number}: moving and fixed must both be named")
        name = row.get("name") or f"{number:04d}"
        if Path(name).name != name:
            raise PlainError(f"{path}, row {number}: {name!r} is no name of a folder")
        jobs.append(
            Job(
                out / name,
                files["moving"],
                files["fixed"],
                files["moving_label"],
                files["fixed_label"],
            )
        )
    names = [job.out.name for job in jobs]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled or not jobs:
        raise PlainError(
            f"{path}: " + (f"names twice: {doubled}" if doubled else "no pairs in it")
        )
    return jobs


def predict_split(model: Model, options: argparse.Namespace) -> int:
    """Register a split's pairs and write their metrics, and whatever else was asked for."""
    cohort = cohort_of(model, options.data_dir)
    pairs = pairs_of(cohort, options.split, drawn=options.drawn)
    wanted = refinement(options, model)
    found = predictions(model, cohort, pairs, wanted, device_of(options))
    bar = tqdm(found, total=len(pairs), desc="registering", unit="pair", disable=None)
    labels = sorted(cohort.description.labels)
    with filling(options.out, overwrite=options.overwrite) as part:
        rows = evaluate_pairs(written(bar, cohort, part, options), labels)
        write_rows(part / f"pairs_{options.split}.csv", rows)
    print(metrics_table(aggregate(rows)))
    print(f"Metrics of every pair, and what else was asked for: {options.out}")
    return 0


def written(
    found: Iterator[Prediction], cohort: Cohort, folder: Path, options: argparse.Namespace
) -> Iterator[PairJob]:
    """Write what was asked for of each pair, and pass it on to be measured."""
    for pair, displacement in found:
        if options.save_submission:
            write_field(folder / "submission" / "task_04", pair, displacement)
        if options.save_grid:
            save_grid(folder / "grid", pair, displacement)
        fixed, moving = cohort.indices([pair.fixed, pair.moving])
        if options.save_deformed:
            save_deformed(folder / "deformed", pair, displacement, cohort)
        yield PairJob(
            fixed=pair.fixed,
            moving=pair.moving,
            fixed_label=cohort.labels[fixed],
            moving_label=cohort.labels[moving],
            displacement=displacement,
        )


def save_grid(folder: Path, pair: CasePair, displacement: np.ndarray) -> None:
    """Write the moving position, in voxels, that each fixed voxel is read at: (3, D, H, W)."""
    folder.mkdir(exist_ok=True)
    positions = (np.indices(displacement.shape[1:]) + displacement).astype(np.float32)
    path = folder / f"grid_{pair.fixed:04d}_{pair.moving:04d}.npz"
    np.savez_compressed(path, positions)


def save_deformed(folder: Path, pair: CasePair, displacement: np.ndarray, cohort: Cohort) -> None:
    """Write the warped image and label on the common grid, placed where the fixed case lies."""
    fixed, moving = cohort.indices([pair.fixed, pair.moving])
    volumes = PanelVolumes(
        fixed=cohort.images[fixed],
        moving=cohort.images[moving],
        fixed_label=cohort.labels[fixed],
        moving_label=cohort.labels[moving],
        displacement=displacement,
    )
    affine = grid_affine(cohort.placements[fixed])
    stem = f"{pair.fixed:04d}_{pair.moving:04d}.nii.gz"
    warped = volumes.warped.astype(np.float32)
    write_nifti(folder / f"image_{stem}", image_with_header(warped, affine))
    if cohort.labelled[moving]:
        label = warp_label(cohort.labels[moving], displacement)
        write_nifti(folder / f"label_{stem}", image_with_header(label, affine))


def grid_affine(placement: Placement) -> np.ndarray:
    """(4, 4): voxels of the common grid to the world of a case."""
    to_common = np.diag([*placement.scale, 1.0])
    to_common[:3, 3] = placement.shift
    return np.asarray(np.array(placement.affine) @ np.linalg.inv(to_common))


if __name__ == "__main__":
    sys.exit(run_command(main, sys.argv[1:]))
