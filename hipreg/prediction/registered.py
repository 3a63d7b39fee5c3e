"""What users get of a registration: the mapped pair with its numbers and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hipreg.prediction import report
from hipreg.prediction.pair import MappedPair


class RegisteredPair(MappedPair):
    """A moving image registered to a fixed one, see :class:`MappedPair` for its attributes."""

    def metrics(self) -> dict[str, Any]:
        """Everything that can be measured of this pair, see :func:`report.measure`."""
        return report.measure(self)

    def save(self, folder: str | Path, *, overwrite: bool = False) -> list[Path]:
        """Write field, warped image and label, inverse field, picture and metrics.

        Args:
            folder: Gets the files, all of them or none.
            overwrite: Replace those of an earlier call.

        Returns:
            The files.

        Raises:
            FileExistsError: The folder holds something already, and overwrite is False.
        """
        return report.save(self, Path(folder).expanduser(), overwrite=overwrite)
