"""Logged numbers in little memory: two thousand runs of them fit into a workstation's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Series(Sequence[tuple[int, float]]):
    """One metric's (step, value) in the order they were logged.

    Attributes:
        steps: whole numbers; metrics that were logged together share the array.
        values: numbers, NaN and infinities too.
    """

    steps: NDArray[np.int64]
    values: NDArray[np.float64]

    @staticmethod
    def of(points: Sequence[tuple[int, float]]) -> Series:
        """A series of given points."""
        steps, values = ([point[axis] for point in points] for axis in (0, 1))
        return Series(np.array(steps, np.int64), np.array(values, np.float64))

    def __len__(self) -> int:
        return len(self.steps)

    @overload
    def __getitem__(self, index: int) -> tuple[int, float]: ...

    @overload
    def __getitem__(self, index: slice) -> Series: ...

    def __getitem__(self, index: int | slice) -> tuple[int, float] | Series:
        if isinstance(index, slice):
            return Series(self.steps[index], self.values[index])
        return int(self.steps[index]), float(self.values[index])

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return zip(self.steps.tolist(), self.values.tolist(), strict=True)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


@dataclass(slots=True)
class _Block:
    """Lines of the same names: which lines of all they were, their steps, and their values."""

    lines: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    rows: list[list[float]] = field(default_factory=list)


class SeriesBuilder:
    """Gathers logged lines; those of the same names, the usual case, as the rows of a table."""

    def __init__(self) -> None:
        """Hold nothing."""
        self._blocks: dict[tuple[str, ...], _Block] = {}
        self._lines = 0

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add the numbers of one line."""
        names = tuple(values)
        block = self._blocks.get(names)
        if block is None:
            block = self._blocks[names] = _Block()
        block.lines.append(self._lines)
        block.steps.append(step)
        block.rows.append(list(values.values()))
        self._lines += 1

    def series(self) -> dict[str, Series]:
        """All that was added, by name in the order of first appearance, each in its own order."""
        parts: dict[str, list[tuple[list[int], Series]]] = {}
        for names, block in self._blocks.items():
            steps = np.array(block.steps, np.int64)
            columns = np.array(block.rows, np.float64).T.copy()
            for name, values in zip(names, columns, strict=True):
                parts.setdefault(name, []).append((block.lines, Series(steps, values)))
        return {name: _in_order(found) for name, found in parts.items()}


def _in_order(parts: Sequence[tuple[list[int], Series]]) -> Series:
    if len(parts) == 1:
        return parts[0][1]
    order = np.argsort(np.concatenate([lines for lines, _ in parts]), kind="stable")
    steps = np.concatenate([series.steps for _, series in parts])
    values = np.concatenate([series.values for _, series in parts])
    return Series(steps[order], values[order])
