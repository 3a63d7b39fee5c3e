"""Finding weights to start from."""

from __future__ import annotations

from pathlib import Path

from hipreg.models import Architecture, CheckpointError, Described, load_checkpoint

PRETRAINED = "pretrained"
"""The value of ``init_from`` that asks for the newest pretrained weights that fit."""


def starting_weights(init_from: str | None, architecture: Described, runs: Path) -> Path | None:
    """The checkpoint to start from, or None to start from scratch.

    Args:
        init_from: None, a path, or ``"pretrained"``.
        architecture: Of the network that is to be started.
        runs: The folder of all runs.

    Raises:
        CheckpointError: If there is none; says how to make or point to one.
    """
    if init_from is None:
        return None
    if init_from != PRETRAINED:
        return Path(init_from).expanduser()
    found = sorted(runs.glob("*/artifacts/pretrained.pt"), key=lambda path: path.stat().st_mtime)
    for path in reversed(found):
        if fits(load_checkpoint(path).architecture, architecture):
            return path
    raise CheckpointError(
        f"no pretrained weights for the network {architecture} among the {len(found)} "
        f"pretraining runs in {runs}: make them with the same network (a pretraining run leaves "
        "artifacts/pretrained.pt), or point to weights with init_from=PATH"
    )


def fits(found: Described, wanted: Described) -> bool:
    """Whether two networks have the same weights; of the V-Net, encoder and decoder alone."""
    if not (isinstance(found, Architecture) and isinstance(wanted, Architecture)):
        return found == wanted
    counts = (found.convolutions[: found.pool_blocks], wanted.convolutions[: wanted.pool_blocks])
    return found.widths == wanted.widths and counts[0] == counts[1]
