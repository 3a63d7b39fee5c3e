"""Train a registration network: ``python experiments/train.py with sym pretrain``.

``print_config`` lists every entry of the configuration, ``print_named_configs`` the named ones.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments import settings
from experiments.cases import Cases, load_cases
from experiments.configs import add_configs
from experiments.fit import fit
from experiments.tracking import artifacts_folder, new_experiment, plain

if TYPE_CHECKING:
    from sacred.run import Run

logger = logging.getLogger("hipreg.train")

experiment = new_experiment("train")
add_configs(experiment)


@experiment.main
def main(_run: Run, _config: Mapping[str, Any]) -> float | None:
    """Train, evaluate on the validation pairs, and leave everything in the run's folder."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    config = plain(_config)
    device = settings.device(config)
    cases = load_cases(config, device)
    announce_data(_run, config, cases)
    with tempfile.TemporaryDirectory() as scratch:
        return fit(_run, config, cases, artifacts_folder(_run) or Path(scratch))


def announce_data(run: Run, config: Mapping[str, Any], cases: Cases) -> None:
    """Say and record which data this is."""
    description = cases.cohort.description
    if config["synthetic_if_none"] and config["dataset"] == "synthetic":
        logger.info(
            "No MRI found (see data/README.md for where to get it and where to put it): "
            "using the built-in synthetic pairs."
        )
    logger.info(
        "%s: training on %d cases, %d validation pairs",
        description.title,
        len(cases.fit.cases),
        len(cases.pairs["val"]),
    )
    run.info["data"] = {"dataset": description.name, "fingerprint": cases.cohort.fingerprint}


if __name__ == "__main__":
    experiment.run_commandline()
