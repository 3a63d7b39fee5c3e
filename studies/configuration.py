"""What a study's configurations have of the study itself, and the data that they name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.errors import said_plainly
from hipreg.data import load_cohort

OURS = ("study", "trial", "resume_from", "epochs")
"""Entries that a study sets itself; ``epochs`` is its budget."""


def data_of(config: Mapping[str, Any]) -> str:
    """Data set and fingerprint of a configuration's data.

    Raises:
        PlainError: It is missing or bad, saying what to do.
    """
    folder = Path(config["data_dir"]) if config["data_dir"] else None
    with said_plainly():
        return f"{config['dataset']} {load_cohort(config['dataset'], data_dir=folder).fingerprint}"
