"""Data: descriptions, layouts, checks, the prepared cache, splits and synthetic pairs."""

from hipreg.data.brains import find_brains
from hipreg.data.cohort import Cohort, tight_size
from hipreg.data.description import (
    DatasetDescription,
    FixedWindow,
    PercentileWindow,
    SyntheticSource,
    describe,
    known_datasets,
)
from hipreg.data.io import DataError, DataNotFoundError
from hipreg.data.load import find_data, load_cohort
from hipreg.data.pairs import CasePair, all_pairs, check_pairs, reversed_pairs
from hipreg.data.placement import Placement
from hipreg.data.splits import (
    Splits,
    pairs_for,
    read_pairs,
    read_splits,
    read_subjects,
    split_subjects,
    splits_for,
    write_subjects,
)
from hipreg.data.synthetic import (
    SyntheticPair,
    synthetic_case,
    synthetic_cohort,
    synthetic_pair,
)

__all__ = [
    "CasePair",
    "Cohort",
    "DataError",
    "DataNotFoundError",
    "DatasetDescription",
    "FixedWindow",
    "PercentileWindow",
    "Placement",
    "Splits",
    "SyntheticPair",
    "SyntheticSource",
    "all_pairs",
    "check_pairs",
    "describe",
    "find_brains",
    "find_data",
    "known_datasets",
    "load_cohort",
    "pairs_for",
    "read_pairs",
    "read_splits",
    "read_subjects",
    "reversed_pairs",
    "split_subjects",
    "splits_for",
    "synthetic_case",
    "synthetic_cohort",
    "synthetic_pair",
    "tight_size",
    "write_subjects",
]
