"""The configuration that train.py makes of its arguments, without starting it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sacred import Experiment
from sacred.arg_parser import get_config_updates
from sacred.initialize import create_run
from sacred.utils import ConfigAddedError, SacredError

from experiments.configs import add_configs
from experiments.errors import PlainError, said_plainly
from experiments.plain import plain
from hipreg.data import load_cohort

OURS = ("study", "trial", "resume_from", "epochs")
"""Entries that a study sets itself; ``epochs`` is its budget."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A training's configuration.

    Attributes:
        config: All entries.
        given: Names of the entries that the arguments set one by one.
    """

    config: Mapping[str, Any]
    given: frozenset[str]


def resolve(arguments: Sequence[str]) -> Resolved:
    """The configuration of ``train.py with ARGUMENTS``.

    Raises:
        PlainError: There is no such entry or named configuration.
    """
    updates, named = get_config_updates(list(arguments))  # type: ignore[no-untyped-call]
    experiment = Experiment("train", save_git_info=False)
    add_configs(experiment)
    experiment.main(lambda: None)
    given = frozenset(updates)
    unknown = [name for name in named if name not in experiment.named_configs]
    if unknown:
        raise PlainError(
            f"no named configuration {', '.join(unknown)}; there are: "
            f"{', '.join(sorted(experiment.named_configs))}"
        )
    logging.getLogger("train").setLevel(logging.ERROR)
    try:
        run = create_run(experiment, "<lambda>", updates, named)  # type: ignore[no-untyped-call]
    except ConfigAddedError as error:
        added = ", ".join(error.__conflicting_configs__)
        raise PlainError(f"train.py has no entry {added} (see its print_config)") from error
    except SacredError as error:
        raise PlainError(str(error)) from error
    return Resolved(plain(run.config), given)


def data_of(config: Mapping[str, Any]) -> str:
    """Data set and fingerprint of a configuration's data.

    Raises:
        PlainError: It is missing or bad, saying what to do.
    """
    folder = Path(config["data_dir"]) if config["data_dir"] else None
    with said_plainly():
        return f"{config['dataset']} {load_cohort(config['dataset'], data_dir=folder).fingerprint}"
