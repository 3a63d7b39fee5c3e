"""hipreg: deformable registration of hippocampus MRI in plain PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hipreg.types import Pair, Registration

__all__ = ["Pair", "Registration", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The types, once they are asked for: readers of records need no torch."""
    if name in ("Pair", "Registration"):
        from hipreg import types

        return getattr(types, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
