"""Which case is registered to which: one named pair and the rules that make lists of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import NamedTuple


class CasePair(NamedTuple):
    """The case numbers of one registration.

    Attributes:
        fixed: the case that stays as it is.
        moving: the case that is deformed onto ``fixed``.
    """

    fixed: int
    moving: int


PairRule = Callable[[Sequence[int]], list[CasePair]]
"""Makes the evaluation pairs of a set of cases."""


def reversed_pairs(cases: Sequence[int]) -> list[CasePair]:
    """The sorted list (fixed) against itself reversed (moving): Learn2Reg 2020, Task 4."""
    ordered = sorted(cases)
    return [CasePair(f, m) for f, m in zip(ordered, reversed(ordered), strict=True)]


def all_pairs(cases: Sequence[int]) -> list[CasePair]:
    """Every two cases once, the lower number fixed: Learn2Reg 2020, Task 3 (abdominal CT)."""
    return [CasePair(fixed, moving) for fixed, moving in combinations(sorted(cases), 2)]


def check_pairs(pairs: Iterable[CasePair], known: Iterable[int], source: str) -> None:
    """Makes sure that every pair names two known cases.

    Args:
        pairs: the pairs to check.
        known: the case numbers that exist.
        source: what to call the list of pairs in the error, for instance its path.

    Raises:
        ValueError: at least one pair names an unknown case; all such pairs are listed.
    """
    cases = set(known)
    bad = [pair for pair in pairs if not {pair.fixed, pair.moving} <= cases]
    if not bad:
        return
    lines = [
        f"  ({pair.fixed}, {pair.moving}): no case "
        + " and no case ".join(str(case) for case in dict.fromkeys(pair) if case not in cases)
        for pair in bad
    ]
    span = f"{min(cases)} to {max(cases)}" if cases else "none"
    raise ValueError(
        f"{source}: {len(bad)} pair(s) (fixed, moving) name an unknown case; the {len(cases)} "
        f"known cases are numbered {span}. Correct the pairs or add the cases.\n"
        + "\n".join(lines)
    )
