"""hipreg: deformable registration of hippocampus MRI in plain PyTorch.

The public names are imported at their first use, so that ``import hipreg`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hipreg.api import Options, load, register
    from hipreg.models.weights import Model
    from hipreg.prediction.options import Refinement
    from hipreg.prediction.registered import RegisteredPair
    from hipreg.types import Pair, Registration

__all__ = [
    "Model",
    "Options",
    "Pair",
    "Refinement",
    "RegisteredPair",
    "Registration",
    "__version__",
    "load",
    "register",
]

__version__ = "0.1.0"

_PLACES = {
    "Model": "hipreg.models.weights",
    "Options": "hipreg.api",
    "Pair": "hipreg.types",
    "Refinement": "hipreg.prediction.options",
    "RegisteredPair": "hipreg.prediction.registered",
    "Registration": "hipreg.types",
    "load": "hipreg.api",
    "register": "hipreg.api",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'hipreg' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
