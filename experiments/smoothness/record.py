"""What one record of a curve must share with the others, and what sets it apart: the factor.

A curve is a folder of ``experiments.peers.record``, a record a factor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.errors import PlainError
from experiments.peers.record import differences

FACTOR, MODEL, USUAL = "factor", "model", "usual_weights"
"""Among a record's settings: what the weights were multiplied by, the model's name, and the
weights at factor 1."""

WEIGHTS = ("diffusion", "divergence")
"""Of a velocity's goal: those that make it smooth."""

_SHARED = ("format", "kind", "size", "data", "metric_definitions")


def of_record(about: Mapping[str, Any]) -> tuple[float, dict[str, float]]:
    """Factor and weights of a record.

    Args:
        about: What it says beside the times.

    Raises:
        PlainError: It is of another kind.
    """
    try:
        settings = about["settings"]
        weights = {name: float(settings["goal"][name]) for name in WEIGHTS}
        str(settings[MODEL])
        return float(settings[FACTOR]), weights
    except (KeyError, TypeError, ValueError) as error:
        raise PlainError(
            f"the record of {about.get('method')!r} has no smoothness factor ({error}): it is "
            "none of python -m experiments.smoothness, and needs a folder of its own"
        ) from error


def refuse_mixture(abouts: Sequence[Mapping[str, Any]], where: str) -> None:
    """Refuse records that differ in more than the factor.

    Args:
        abouts: What they say beside the times.
        where: They lie, for the message.

    Raises:
        PlainError: They do; names the difference.
    """
    first, *others = [_but_for_factor(about) for about in abouts]
    for about, other in zip(abouts[1:], others, strict=True):
        found = [text for key in first for text in differences(key, first[key], other[key])]
        if found:
            raise PlainError(
                f"{where}: {abouts[0]['method']} (there) and {about['method']} (asked for) differ "
                f"in more than their factor: {'; '.join(found)}. Ask for the same, or give "
                "another --out"
            )


def _but_for_factor(about: Mapping[str, Any]) -> dict[str, Any]:
    of_record(about)
    settings = {key: value for key, value in about["settings"].items() if key != FACTOR}
    goal = {key: value for key, value in settings["goal"].items() if key not in WEIGHTS}
    return {**{key: about.get(key) for key in _SHARED}, "settings": {**settings, "goal": goal}}
