"""The worst, the median and the best pair of a run, registered again from its weights."""

from __future__ import annotations

import functools
import logging
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from experiments import settings
from experiments.cases import Cases, load_cases
from hipreg.data import CasePair
from hipreg.evaluation.figures import PanelVolumes, pair_rows
from hipreg.evaluation.network import register_pairs
from hipreg.models import load_net
from pages.look import Theme
from pages.picture import Picture
from results.comparison import Comparison
from results.measurements import Evaluated
from results.metrics import METRICS
from results.samples import sample

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

WEIGHTS = "best.pt"


def pair_pictures(table: Comparison) -> list[Picture]:
    """A figure for each row, of the first of its runs that has weights and data here."""
    found = []
    for row in table.rows:
        for item in row.runs if row.name != "unregistered" else ():
            reason = why_not(item)
            if reason is not None:
                logger.warning("no pairs of run %d: %s", item.run.id, reason)
                continue
            about = (
                f"Worst, median and best pair (by Dice) of run {item.run.id}, {row.method}: "
                "moving, fixed and warped image with their labels, deformation grid and "
                "log-Jacobian, all in the slice that cuts most of the fixed labels."
            )
            name = f"pairs_{row.name.replace(' ', '_').replace('/', '_')}"
            found.append(Picture(name, about, partial(draw, item)))
            break
    return found


def why_not(item: Evaluated) -> str | None:
    """Why the pairs of a run cannot be registered again; None if they can."""
    if not (item.run.folder / "artifacts" / WEIGHTS).exists():
        return f"its artifacts/{WEIGHTS} is not here"
    try:
        cases = _cases(item)
    except ValueError as error:
        return str(error)
    if cases.cohort.fingerprint != item.run.fingerprint:
        return (
            f"it was measured on data of fingerprint {item.run.fingerprint}, and the data here "
            f"have {cases.cohort.fingerprint}"
        )
    return None


def draw(item: Evaluated, theme: Theme) -> Figure:
    """Register three pairs of a run and draw them; pictures of scans have one theme only."""
    cases = _cases(item)
    config = item.run.config
    net = load_net(item.run.folder / "artifacts" / WEIGHTS).eval()
    key = "crop_size" if config["val_crop_size"] is None else "val_crop_size"
    size = settings.crop(config, cases.cohort, key, multiple=net.size_multiple)
    chosen = telling_pairs(item)
    fields = register_pairs(
        net, cases.held, list(chosen.values()), settings.inference(config, size)
    )
    named = [
        (f"{word}: {pair.moving} to {pair.fixed}", _volumes(cases, pair, displacement))
        for word, (pair, displacement) in zip(chosen, fields, strict=True)
    ]
    return pair_rows(named, label_names=cases.cohort.description.labels)


def telling_pairs(item: Evaluated) -> dict[str, CasePair]:
    """The worst, the median and the best pair by Dice; of two pairs there is no median."""
    dice = sample([item.table], METRICS["dice"], None).values
    order = np.argsort(np.where(np.isnan(dice), np.inf, dice), kind="stable")
    order = order[: int((~np.isnan(dice)).sum())]
    places = {"Worst": 0, "Median": len(order) // 2, "Best": len(order) - 1}
    pairs = {word: CasePair(*item.table.pairs[order[at]]) for word, at in places.items()}
    return {word: pair for word, pair in pairs.items() if word != "Median" or len(order) > 2}


def _cases(item: Evaluated) -> Cases:
    config = item.run.config
    return _loaded(item.run.dataset, config.get("data_dir"))


@functools.lru_cache(maxsize=2)
def _loaded(dataset: str, data_dir: str | None) -> Cases:
    # The cases that are trained on are not needed, but there must be some.
    config = {"dataset": dataset, "data_dir": data_dir, "merge_train_val": False, "max_cases": 1}
    return load_cases(config, torch.device("cpu"))


def _volumes(cases: Cases, pair: CasePair, displacement: np.ndarray) -> PanelVolumes:
    fixed, moving = (cases.held.cases.index(case) for case in (pair.fixed, pair.moving))
    return PanelVolumes(
        fixed=cases.held.images[fixed, 0].numpy(),
        moving=cases.held.images[moving, 0].numpy(),
        fixed_label=cases.held.labels[fixed, 0].numpy(),
        moving_label=cases.held.labels[moving, 0].numpy(),
        displacement=displacement,
    )
