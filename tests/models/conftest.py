"""Everything here runs with and without compiled kernels."""

from tests.kernels import compiled_or_plain

__all__ = ["compiled_or_plain"]
