"""Says and records which data a run is of."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sacred.run import Run

from experiments.configs import choose_dataset
from hipreg.data import Cohort
from hipreg.evaluation import DEFINITIONS

logger = logging.getLogger("hipreg.train")


def announce_data(run: Run, config: Mapping[str, Any], cohort: Cohort, use: str) -> None:
    """Say and record which data this is, and what they are used for."""
    fell_back = choose_dataset(config["data_dir"], config["synthetic_if_none"]) == "synthetic"
    if fell_back and config["dataset"] == "synthetic":
        logger.info(
            "No MRI found (see data/README.md for where to get it and where to put it): "
            "using the built-in synthetic pairs."
        )
    logger.info("%s: %s", cohort.description.title, use)
    run.info["data"] = {
        "dataset": cohort.description.name,
        "fingerprint": cohort.fingerprint,
    }
    run.info["metric_definitions"] = DEFINITIONS
