"""What a registration program is here: a function of two images, and what it needs."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float

Volume = Float[np.ndarray, "D H W"]
"""One image in [0, 1]; exactly 0 where the scan covers nothing."""

Field = Float[np.ndarray, "3 D H W"]
"""Displacement as in ``hipreg/types.py``: voxels, on the fixed grid, pull-back."""

Settings = Mapping[str, Any]
"""Plain values by name; all that a program is told besides the images."""

Adapter = Callable[[Volume, Volume, Settings], Field]
"""From moving image, fixed image and settings to the displacement."""

EXTRA = "pip install -c constraints.txt -e '.[peers]'"
"""With the pins, since some releases of the programs ask for an older NumPy than ours."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A registration program.

    Attributes:
        name: On the command line and in names of files.
        title: In tables.
        adapter: Registers one pair.
        settings: The defaults.
        module: What must be importable; None where nothing beyond hipreg is needed.
        packages: Distributions whose versions are recorded.
        install: The command that installs it.
    """

    name: str
    title: str
    adapter: Adapter
    settings: Settings
    module: str | None = None
    packages: tuple[str, ...] = ()
    install: str = EXTRA

    def load(self, settings: Settings, threads: int) -> Callable[[Volume, Volume], Field]:
        """Make it ready to register, in the process that will.

        Args:
            settings: All of them.
            threads: Those that the environment does not limit to so many already.
        """
        if self.module is not None:
            library(self.module)
        return partial(_apply, self.adapter, settings)

    @property
    def installed(self) -> bool:
        """Whether its program is there."""
        if self.module is None:
            return True
        try:
            return importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:  # not even the package that it is in
            return False


def _apply(adapter: Adapter, settings: Settings, moving: Volume, fixed: Volume) -> Field:
    return adapter(moving, fixed, settings)


def library(name: str) -> ModuleType:
    """A program's module; what it warns of, or does to warnings, at its import is its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)
