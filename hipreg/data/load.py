"""The entrance: finds a data set, has it checked and prepared, and returns its cases."""

from __future__ import annotations

import logging
import os
from functools import lru_cache
from pathlib import Path

from hipreg.data.cache import prepared_cohort
from hipreg.data.cohort import Cohort
from hipreg.data.description import DatasetDescription, describe
from hipreg.data.io import DataError, DataNotFoundError
from hipreg.data.layouts import DataFolder, file_name, recognise
from hipreg.data.locations import default_cache_dir, project_root
from hipreg.data.synthetic import synthetic_cohort

logger = logging.getLogger(__name__)


def load_cohort(
    name: str = "hippocampus", *, data_dir: Path | None = None, cache_dir: Path | None = None
) -> Cohort:
    """All cases of a data set, prepared.

    Args:
        name: one of ``known_datasets()``.
        data_dir: where the data lies; None: HIPREG_DATA, then ``data/`` of the checkout.
        cache_dir: where prepared data lies; None: HIPREG_CACHE, then ``data/cache``.

    Raises:
        DataNotFoundError: there is no data; says what to download and where to put it.
        DataError: some files are bad (all are named), or a folder cannot be read or written.
        ValueError: no such data set.
    """
    description = describe(name)
    if description.synthetic is not None:
        return _generated(name)
    found = find_data(description, data_dir)
    return prepared_cohort(found, description, cache_dir or default_cache_dir())


@lru_cache(maxsize=1)
def _generated(name: str) -> Cohort:
    """The cases of a synthetic data set, which take seconds to make and no place on disk."""
    description = describe(name)
    source = description.synthetic
    if source is None:
        raise ValueError(f"{name} is no synthetic data set")
    return synthetic_cohort(description, n=source.train + source.val, seed=source.seed)


def find_data(description: DatasetDescription, data_dir: Path | None = None) -> DataFolder:
    """The folder of a data set: in ``data_dir``, else HIPREG_DATA, else ``data/``.

    The first of the three that is set decides: a wrong path is an error, and never passed over
    in silence for another data set.

    Raises:
        DataNotFoundError: none of the data set's layouts is there.
        DataError: a folder cannot be read.
    """
    variable = os.environ.get("HIPREG_DATA", "")
    if data_dir is not None:
        place, given_by = data_dir.expanduser(), "data_dir"
    elif variable:
        place, given_by = Path(variable).expanduser(), "the variable HIPREG_DATA"
    else:
        place, given_by = (
            project_root() / "data",
            "the default; data_dir and HIPREG_DATA are not set",
        )
    if place.exists() and not place.is_dir():
        raise DataError(f"{place} (from {given_by}) is a file; expected the folder of the data")
    found = recognise(place, description) if place.exists() else []
    if not found:
        raise DataNotFoundError(_not_found(description, place, given_by))
    if len(found) > 1:
        others = ", ".join(f"{other.path} ({other.layout.name})" for other in found[1:])
        logger.info("%s is used; also there: %s", found[0].path, others)
    return found[0]


def _not_found(description: DatasetDescription, place: Path, given_by: str) -> str:
    state = "holds none of the folders below" if place.exists() else "does not exist"
    wanted = "\n".join(
        f"  {layout.folder}/{layout.parts[0].images[0]}/{file_name(layout.parts[0], 1)}"
        for layout in description.layouts
    )
    return (
        f"No data for {description.title}: {place} (from {given_by}) {state}.\n"
        f"Expected there, or one folder below, one of\n{wanted}\n"
        f"{description.download}\n"
        f"Put the unpacked folder into {project_root() / 'data'}, or point data_dir or the "
        "variable HIPREG_DATA at it or at its parent.\n"
        "To train without it, on generated pairs: with synthetic"
    )
