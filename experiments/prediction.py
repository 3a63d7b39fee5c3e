"""Displacements of a data set's pairs by a trained model, and the options commands share."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from experiments import settings
from hipreg.data import CasePair, Cohort, load_cohort, pairs_for, splits_for
from hipreg.data.augment import central_crop
from hipreg.data.batches import CaseBank
from hipreg.evaluation.network import extend
from hipreg.models import FlowNet, Model
from hipreg.prediction import Refinement, predict
from hipreg.prediction.velocity import VelocityGoal

SPLITS = ("train", "val", "test", "selection")

Prediction = tuple[CasePair, Float[np.ndarray, "3 D H W"]]


def add_refinement(parser: argparse.ArgumentParser) -> None:
    """Give a command the test-time options and the device."""
    group = parser.add_argument_group("test-time options")
    group.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help="instance optimisation: gradient steps on the pair's own images (10 to 20; of a "
        "velocity network at most so many, 60 are plenty, and on predicted labels too; default: "
        "as many as the model was published or evaluated with)",
    )
    group.add_argument(
        "--both-directions",
        action="store_true",
        help="average with the inverse of the prediction for the exchanged images",
    )
    group.add_argument(
        "--flips",
        type=int,
        nargs="+",
        default=(),
        metavar="AXIS",
        help="average over mirroring both images along these axes (0, 1, 2)",
    )
    group.add_argument(
        "--goal",
        type=goal_entries,
        default={},
        metavar="KEY=VALUE[,KEY=VALUE]",
        help="what the steps of a velocity network minimise, where it is not the usual: "
        f"{', '.join(item.name for item in fields(VelocityGoal))}",
    )
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda[:N] (default: cpu)")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")


def goal_entries(text: str) -> dict[str, float | bool]:
    """``KEY=VALUE``, or several with commas between them, of a command line.

    Raises:
        argparse.ArgumentTypeError: One is none, or its value is no number, True or False.
    """
    entries = {}
    for word in text.split(","):
        key, sign, value = word.partition("=")
        try:
            found = ast.literal_eval(value.strip()) if sign else None
        except (ValueError, SyntaxError):
            found = None
        if not isinstance(found, int | float):
            raise argparse.ArgumentTypeError(
                f"{word!r}: expected KEY=VALUE with a number, True or False, as in "
                "diffusion=0.5,both_directions=True"
            )
        entries[key.strip()] = found
    return entries


def refinement(options: argparse.Namespace, model: Model) -> Refinement:
    """The test-time options of a command line for a model.

    Raises:
        ValueError: They are impossible, or not for such a model.
    """
    if options.goal and not isinstance(model.net, FlowNet):
        raise ValueError(
            f"--goal is what velocities are optimised for, and {model.name} predicts none; leave "
            "it out, or give another model"
        )
    own = Refinement.of(model, steps=options.steps)
    return replace(
        own,
        both_directions=options.both_directions,
        flips=tuple(options.flips),
        goal={**own.goal, **options.goal},
    )


def device_of(options: argparse.Namespace) -> torch.device:
    """The device of a command line; readies the process for it."""
    return settings.device({"device": options.device, "threads": options.threads})


def cohort_of(model: Model, data_dir: Path | None) -> Cohort:
    """The prepared cases of the model's data set.

    Raises:
        ValueError: They are not found, or bad.
    """
    return load_cohort(model.dataset, data_dir=data_dir)


def pairs_of(cohort: Cohort, split: str, *, drawn: int | None = None) -> list[CasePair]:
    """The pairs of a split, all of them known to the cohort.

    Args:
        cohort: The data.
        split: Its name.
        drawn: Not the split's own pairs, but so many of all ordered pairs of its cases, drawn
            once and for all; 0 for every one.

    Raises:
        ValueError: There is no such split, it has fewer pairs, or the data lacks some of its
            cases.
    """
    description = cohort.description
    if split == "train":
        pairs = description.pair_rule(splits_for(description).train)
    else:
        pairs = pairs_for(description, split)
    if drawn is not None:
        pairs = drawn_pairs(sorted({case for pair in pairs for case in pair}), drawn)
    asked = {case for pair in pairs for case in pair}
    missing = sorted(asked - set(cohort.cases))
    if missing or not pairs:
        raise ValueError(
            f"the {split} pairs of {description.title} take {len(asked)} cases, and the data "
            f"holds all but {len(missing)} of them ({_few(missing)}); download the release that "
            "has them (see data/README.md), or choose another split"
        )
    return pairs


def drawn_pairs(cases: Sequence[int], count: int) -> list[CasePair]:
    """Some of all ordered pairs of different cases, the same on every machine; 0 for all.

    Raises:
        ValueError: There are fewer.
    """
    all_pairs = [CasePair(f, m) for f in cases for m in cases if f != m]
    if not 0 <= count <= len(all_pairs):
        raise ValueError(
            f"{len(cases)} cases make {len(all_pairs)} ordered pairs, and {count} were asked for"
        )
    if count == 0:
        return all_pairs
    chosen = np.random.default_rng(0).permutation(len(all_pairs))[:count]
    return [all_pairs[i] for i in sorted(chosen)]


def _few(cases: Sequence[int]) -> str:
    shown = ", ".join(map(str, cases[:5]))
    return f"{shown}, ..." if len(cases) > 5 else shown or "there are no such pairs"


def predictions(
    model: Model,
    cohort: Cohort,
    pairs: Sequence[CasePair],
    wanted: Refinement,
    device: torch.device,
) -> Iterator[Prediction]:
    """The displacement of each pair on the cohort's grid, in voxels, in order."""
    cases = tuple(sorted({case for pair in pairs for case in pair}))
    chosen = cohort.select(cases)
    bank = CaseBank(
        cases=cases,
        images=torch.from_numpy(np.ascontiguousarray(chosen.images))[:, None].to(device),
        labels=torch.from_numpy(np.ascontiguousarray(chosen.labels))[:, None].to(device),
    )
    net = model.net.to(device)
    # Few on a processor, whose cache holds no more; a GPU wants much to do at once.
    batch_size = 2 if device.type == "cpu" else 64
    batches = bank.named_pairs(pairs, batch_size=batch_size)
    for start, whole in zip(range(0, len(pairs), batch_size), batches, strict=True):
        part = central_crop(whole, size=model.size)
        found = predict(net, part.moving, part.fixed, wanted, lcc_window=model.lcc_window)
        displacements = extend(found, size=cohort.size).cpu().numpy()
        yield from zip(pairs[start : start + batch_size], displacements, strict=True)
