"""What describes a network's shape."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol


class Described(Protocol):
    """A frozen dataclass of plain values, and of such dataclasses of a known kind."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
