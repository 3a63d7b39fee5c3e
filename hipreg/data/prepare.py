"""Checks and prepares a data set ahead of training: ``python -m hipreg.data.prepare``.

Training does the same by itself when needed.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from hipreg.data.cohort import tight_size
from hipreg.data.description import known_datasets
from hipreg.data.load import load_cohort

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command.

    Raises:
        SystemExit: something is wrong with the data; the message says what.
    """
    parser = argparse.ArgumentParser(prog="python -m hipreg.data.prepare", description=__doc__)
    parser.add_argument("--dataset", default="hippocampus", help=", ".join(known_datasets()))
    parser.add_argument("--data-dir", type=Path, help="default: HIPREG_DATA, then data/")
    parser.add_argument("--cache-dir", type=Path, help="default: HIPREG_CACHE, then data/cache")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    began = time.perf_counter()
    try:
        cohort = load_cohort(
            options.dataset, data_dir=options.data_dir, cache_dir=options.cache_dir
        )
    except ValueError as error:
        raise SystemExit(f"error: {error}") from error
    logger.info(
        "%s: %d cases (%d with labels) of %s voxels, scans within the central %s; "
        "fingerprint %s; %.2f s",
        cohort.description.title,
        len(cohort),
        sum(cohort.labelled),
        cohort.size,
        tight_size(cohort, multiple=1),
        cohort.fingerprint,
        time.perf_counter() - began,
    )


if __name__ == "__main__":
    main()
