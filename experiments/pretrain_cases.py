"""What a pretraining is trained and evaluated on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from experiments.cases import MONITORED_TRAINING_PAIRS, Cases
from experiments.pretrain_configs import SELF, SOURCES, SYNTH
from experiments.tracking import terminal_columns
from hipreg.data import (
    Cohort,
    DataNotFoundError,
    DatasetDescription,
    PercentileWindow,
    describe,
    find_brains,
    load_cohort,
    pairs_for,
    read_subjects,
    reversed_pairs,
    split_subjects,
    splits_for,
)
from hipreg.data.batches import CaseBank
from hipreg.data.brain_crops import Place, crop_pairs, hippocampi, prepared_crops, random_places
from hipreg.data.brains import EXPECTED
from hipreg.data.checks import Fault
from hipreg.data.locations import default_cache_dir
from hipreg.data.pairs import CasePair
from hipreg.data.shapes import LABELS, ShapeOptions, ShapePairs, shape_batch
from hipreg.training import BY_LOSS

logger = logging.getLogger(__name__)

SELECTION_PAIRS = 20
"""Pairs at most that the best epoch is chosen on."""

HELD_OUT_EPOCH = 2**31
"""An epoch that no training reaches: the held-out shapes are those of it."""

SHAPES = DatasetDescription(
    name="shapes",
    title="Random shapes",
    labels={label: f"shape {label}" for label in LABELS},
    size=(64, 64, 64),
    spacing=1.0,
    intensity=PercentileWindow(),
)


@dataclass(frozen=True, slots=True)
class BrainCases(Cases):
    """Cases from whole brains.

    Attributes:
        subjects: Those trained on and those held out.
    """

    subjects: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


def load_pretraining(config: Mapping[str, Any], device: torch.device) -> Cases:
    """Find, check, prepare and load what a configuration pretrains on.

    Raises:
        ValueError: For anything wrong with the data or the configuration.
    """
    source = config["source"]
    if source not in SOURCES:
        raise ValueError(
            "a pretraining needs to know on what: python experiments/pretrain.py with "
            f"{' | '.join(SOURCES)} (got source={source!r})"
        )
    if config["merge_train_val"]:
        raise ValueError("a pretraining never sees validation cases: merge_train_val must be off")
    if config["fold"] is not None:
        raise ValueError("a pretraining leaves out no fold: fold must be None")
    if config["merge_selection"]:
        raise ValueError(
            "selection cases choose a pretraining's epoch: merge_selection must be off"
        )
    if source == SYNTH:
        return shapes(config, device)
    return unlabelled(config, device) if source == SELF else brains(config, device)


def shapes(config: Mapping[str, Any], device: torch.device) -> Cases:
    """Endless random shapes, and a fixed few that the best epoch is chosen on."""
    options = ShapeOptions(
        same_contrast=config["same_contrast"], deformation=config["shape_deformation"]
    )
    count = min(SELECTION_PAIRS, config["max_cases"] or SELECTION_PAIRS)
    # The same for every seed, so that losses of trainings can be compared.
    seeds = [(0, HELD_OUT_EPOCH, number) for number in range(count)]
    held = shape_batch(seeds, SHAPES.size, device=torch.device("cpu"), options=options)
    cohort = Cohort.of_volumes(
        SHAPES,
        torch.cat([held.moving, held.fixed])[:, 0].numpy(),
        torch.cat([held.moving_label, held.fixed_label])[:, 0].numpy(),
    )
    pairs = [CasePair(fixed=count + k + 1, moving=k + 1) for k in range(count)]
    return Cases(
        cohort=cohort,
        fit=ShapePairs(config["max_cases"] or config["pairs_per_epoch"], device, options),
        held=CaseBank.of(cohort, cohort.cases, device=device),
        pairs={"selection": pairs},
        criterion=BY_LOSS,
        reported="selection",
    )


def unlabelled(config: Mapping[str, Any], device: torch.device) -> Cases:
    """The training cases of the data set as if they had no labels; never a validation case."""
    description = describe(config["dataset"])
    data_dir = Path(config["data_dir"]) if config["data_dir"] else None
    splits = splits_for(description)
    whole = load_cohort(description.name, data_dir=data_dir).select(splits.train)
    cohort = replace(
        whole,
        description=replace(
            description,
            name=f"{description.name}_unlabelled",
            title=f"{description.title}, without labels",
            labels={},
        ),
        labels=np.zeros_like(whole.labels),
        labelled=(False,) * len(whole),
    )
    fit = list(splits.fit)[: config["max_cases"]]
    pairs = {
        "train": reversed_pairs(fit[:MONITORED_TRAINING_PAIRS]),
        "selection": pairs_for(description, "selection"),
    }
    return _cases(cohort, fit, pairs, device)


def brains(config: Mapping[str, Any], device: torch.device) -> Cases:
    """Crops of whole brains; pairs are of two subjects at one place."""
    layout = config["source"]
    if not config["data_dir"]:
        raise DataNotFoundError(
            f"with {layout}: where are the images? Give data_dir=FOLDER; expected there "
            f"{EXPECTED[layout]} (data/README.md says where to get them)"
        )
    found = find_brains(Path(config["data_dir"]), layout, pattern=config["pattern"])
    train, held = chosen_subjects(config, [brain.subject for brain in found])
    known = {brain.subject: brain for brain in found}
    used = [known[subject] for subject in sorted({*train, *held})]
    places = chosen_places(config)
    cohort = prepared_crops(
        used, places, layout=layout, cache_dir=default_cache_dir(), progress=_progress
    )
    number = {brain.subject: k for k, brain in enumerate(used)}
    if not held:
        logger.warning(
            "Fewer than 4 subjects: none is held out, the best epoch is chosen on training pairs"
        )
    count = len(places)
    fit = [number[subject] * count + place + 1 for subject in train for place in range(count)]
    trained, watched = ([number[s] for s in some] for some in (train, held or train))
    pairs = {
        "train": crop_pairs(trained, count, most=MONITORED_TRAINING_PAIRS),
        "selection": crop_pairs(watched, count, most=SELECTION_PAIRS),
    }
    cases = _cases(cohort, fit, pairs, device, groups=[(case - 1) % count for case in fit])
    values = {field.name: getattr(cases, field.name) for field in fields(cases)}
    return BrainCases(**values, subjects=(train, held))


def chosen_subjects(
    config: Mapping[str, Any], subjects: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Training and held-out subjects of a configuration, by its file or its share."""
    if len(subjects) < 2:
        raise ValueError(
            f"{config['data_dir']}: holds {len(subjects)} subject; pairs need at least 2"
        )
    if config["subjects"]:
        train, held = read_subjects(Path(config["subjects"]).expanduser(), subjects)
    else:
        train, held = split_subjects(
            subjects, held_out=config["held_out"], seed=config["split_seed"]
        )
    if config["max_cases"] is not None and config["max_cases"] < 2:
        raise ValueError(f"max_cases must leave 2 subjects to pair, got {config['max_cases']}")
    return train[: config["max_cases"]], held


def chosen_places(config: Mapping[str, Any]) -> tuple[Place, ...]:
    """What is cropped of each brain.

    Raises:
        ValueError: If it is neither "hippocampi" nor a positive number of random places.
    """
    wanted = config["places"]
    if wanted == "hippocampi":
        return hippocampi()
    if isinstance(wanted, int) and wanted > 0:
        return random_places(wanted, seed=config["split_seed"])
    raise ValueError(
        f'places must be "hippocampi", or how many random places inside the brain; got {wanted!r}'
    )


def _cases(
    cohort: Cohort,
    fit: Sequence[int],
    pairs: Mapping[str, Sequence[CasePair]],
    device: torch.device,
    *,
    groups: Sequence[int] | None = None,
) -> Cases:
    held = sorted({case for some in pairs.values() for pair in some for case in pair})
    return Cases(
        cohort=cohort,
        fit=CaseBank.of(cohort, fit, device=device, groups=groups),
        held=CaseBank.of(cohort, held, device=device),
        pairs=pairs,
        criterion=BY_LOSS,
        reported="selection",
    )


def _progress(items: Iterable[list[Fault]], total: int) -> Iterable[list[Fault]]:
    width = terminal_columns()
    return tqdm(
        items, total=total, unit="brain", desc="preparing", disable=width is None, ncols=width
    )
