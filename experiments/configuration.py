"""The configuration that a training program makes of its arguments, without starting it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sacred import Experiment
from sacred.arg_parser import get_config_updates
from sacred.initialize import create_run
from sacred.utils import ConfigAddedError, SacredError

from experiments.configs import add_configs
from experiments.errors import PlainError
from experiments.plain import plain
from experiments.segmentation.configs import add_segmentation_configs

PROGRAMS: Mapping[str, Callable[[Experiment], None]] = {
    "train": add_configs,
    "segment": add_segmentation_configs,
}
"""What gives each program its entries and named configurations."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A training's configuration.

    Attributes:
        config: All entries.
        given: Names of the entries that the arguments set one by one.
    """

    config: Mapping[str, Any]
    given: frozenset[str]


def resolve(arguments: Sequence[str], program: str = "train") -> Resolved:
    """The configuration of ``PROGRAM.py with ARGUMENTS``.

    Raises:
        PlainError: There is no such entry or named configuration.
    """
    updates, named = get_config_updates(list(arguments))  # type: ignore[no-untyped-call]
    experiment = Experiment(program, save_git_info=False)
    PROGRAMS[program](experiment)
    experiment.main(lambda: None)
    given = frozenset(updates)
    unknown = [name for name in named if name not in experiment.named_configs]
    if unknown:
        raise PlainError(
            f"no named configuration {', '.join(unknown)}; there are: "
            f"{', '.join(sorted(experiment.named_configs))}"
        )
    logging.getLogger(program).setLevel(logging.ERROR)
    try:
        run = create_run(experiment, "<lambda>", updates, named)  # type: ignore[no-untyped-call]
    except ConfigAddedError as error:
        added = ", ".join(error.__conflicting_configs__)
        raise PlainError(f"{program}.py has no entry {added} (see its print_config)") from error
    except SacredError as error:
        raise PlainError(str(error)) from error
    return Resolved(plain(run.config), given)
