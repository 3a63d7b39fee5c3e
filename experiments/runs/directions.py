"""Which metrics matter most, and which way each is better."""

from __future__ import annotations

from collections.abc import Iterable

HIGHER, LOWER, UNKNOWN = 1, -1, 0

_LOWER = ("hd95", "sdlogj", "folding")
_FOREMOST = (
    *(f"val/{figure}" for figure in ("dice", "dice30", "hd95", "sdlogj", "folding", "loss")),
    *(
        f"{split}/{figure}"
        for split in ("selection", "train")
        for figure in ("dice", "hd95", "loss")
    ),
)


def direction(name: str) -> int:
    """HIGHER, LOWER or UNKNOWN: which way metric ``name`` is better.

    A loss is better lower whatever its terms are called: ``val/loss/dice`` is one minus a Dice.
    """
    parts = name.split("/")
    if parts[0] == "weight":
        return UNKNOWN
    if "loss" in parts or "weighted" in parts:
        return LOWER
    figures = parts[1:] if len(parts) > 1 else parts
    for part in figures:
        if part.startswith("dice"):
            return HIGHER
        if part.startswith(_LOWER):
            return LOWER
    return UNKNOWN


def best(name: str, values: Iterable[float]) -> float | None:
    """The best of ``values`` of metric ``name``; None where NaN is all there is or no way known.

    Args:
        name: of the metric.
        values: NaN is never the best.
    """
    way = direction(name)
    numbers = [value for value in values if value == value]
    if way == UNKNOWN or not numbers:
        return None
    return max(numbers) if way == HIGHER else min(numbers)


def foremost(names: Iterable[str], *, most: int) -> list[str]:
    """The ``most`` metrics to show first: the evaluator's figures, then the others as they came.

    A metric of a single label, a single term or a fixed weight comes after those of a whole.
    """
    rank = {name: i for i, name in enumerate(_FOREMOST)}
    ordered = sorted(
        dict.fromkeys(names),
        key=lambda name: (rank.get(name, len(rank)), name.startswith("weight/"), name.count("/")),
    )
    return ordered[:most]
