"""Published weights: safetensors beside a model card, loaded by name, verified by hash.

A model is two files of one name: ``sym.safetensors``, which holds numbers and can hold no code,
and ``sym.json``, the card: architecture, grid, data, run, metrics, licence, and the hash of the
weights. ``sym.md`` says the same for people.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from hipreg.data.description import DatasetDescription, describe
from hipreg.data.locations import project_root
from hipreg.files import replacing
from hipreg.models.checkpoint import (
    Checkpoint,
    CheckpointError,
    architecture_from,
    load_checkpoint,
    network_of,
    registering,
)
from hipreg.models.kinds import to_plain
from hipreg.models.pair_net import PairNet
from hipreg.types import Size

FORMAT = "hipreg-model-1"
DTYPES = {"float32": torch.float32, "float16": torch.float16}
MAX_BYTES = 20_000_000
"""The largest file of weights that is published in the repository."""


@dataclass(frozen=True, slots=True)
class Model:
    """A network ready to register, with what it was trained on.

    Attributes:
        name: What it is called in results.
        net: In evaluation mode, on the CPU.
        size: Voxels D, H, W of the grid that it was trained on.
        dataset: Name of its data set, which says how images are prepared.
        symmetric: Whether it was trained in both directions.
        lcc_window: Side of the LCC window of its training.
        card: Everything that was said of it; empty for a bare checkpoint.
        instance_steps: Steps of instance optimisation, at most, that belong to it.
        instance_goal: What is unusual in what they minimise, see ``hipreg.prediction.Refinement``.
    """

    name: str
    net: PairNet
    size: Size
    dataset: str
    symmetric: bool
    lcc_window: int
    card: Mapping[str, Any]
    instance_steps: int = 0
    instance_goal: Mapping[str, float | bool] = field(default_factory=dict)

    @property
    def description(self) -> DatasetDescription:
        """How its images are prepared and what its labels are."""
        return describe(self.dataset)


def models_dir() -> Path:
    """The folder of published models: the variable HIPREG_MODELS, else ``results/models``."""
    chosen = os.environ.get("HIPREG_MODELS", "")
    return Path(chosen) if chosen else project_root() / "results" / "models"


def known_models(folder: Path | None = None) -> list[str]:
    """Names that :func:`load_model` takes, sorted."""
    place = folder or models_dir()
    found = place.glob("*.safetensors") if place.is_dir() else ()
    return sorted(path.stem for path in found)


def load_model(source: str | Path, folder: Path | None = None) -> Model:
    """Load a published model by its name or path, or a checkpoint of training by its path.

    Args:
        source: A name such as "sym", a .safetensors file with its card beside it, or a .pt file.
        folder: Where names are looked up; None for :func:`models_dir`.

    Raises:
        CheckpointError: If there is no such model, or the file is damaged, altered since it was
            published, of another program, or of another architecture than it says.
    """
    path = Path(source).expanduser()
    if path.suffix == ".safetensors":
        return _published(path)
    if path.suffix in (".pt", ".pth", ".tar") or path.is_file():
        return _bare(path)
    place = folder or models_dir()
    name = str(source)
    if name not in known_models(place):
        known = ", ".join(known_models(place)) or "none"
        raise CheckpointError(
            f"no model {name!r}: there are {known} in {place}. Give one of these names, or the "
            "path of a .safetensors or .pt file; python experiments/publish.py makes one from a "
            "recorded run, and the variable HIPREG_MODELS names another folder"
        )
    return _published(place / f"{name}.safetensors")


def save_model(
    folder: Path, name: str, checkpoint: Checkpoint, facts: Mapping[str, Any], *, dtype: str
) -> dict[str, Any]:
    """Write weights and card of a model.

    Args:
        folder: Made where needed.
        name: Letters, digits, ``-``, ``_`` and ``+``; an existing model is replaced.
        checkpoint: Architecture and weights.
        facts: For the card; must hold ``size``, ``dataset``, ``symmetric`` and ``lcc_window``.
        dtype: ``float32``, or ``float16`` for half the bytes.

    Returns:
        The card.

    Raises:
        ValueError: If name or type are not as stated, the weights do not fit half precision, or
            the file would be larger than ``MAX_BYTES``.
    """
    if not name or not all(c.isalnum() or c in "-_+" for c in name):
        raise ValueError(f"a model's name holds letters, digits, -, _ and + alone, got {name!r}")
    if dtype not in DTYPES:
        raise ValueError(f"weights are stored as {' or '.join(DTYPES)}, got {dtype!r}")
    tensors = {
        key: value.detach().cpu().to(DTYPES[dtype]).contiguous()
        for key, value in checkpoint.weights.items()
    }
    if not all(bool(value.isfinite().all()) for value in tensors.values()):
        raise ValueError(f"the weights hold values that are not finite in {dtype}")
    shape = to_plain(checkpoint.architecture)
    header = {"format": FORMAT, "architecture": json.dumps(shape)}
    content = safetensors.torch.save(tensors, header)
    if len(content) > MAX_BYTES:
        raise ValueError(
            f"the weights take {len(content) / 1e6:.1f} MB as {dtype}, and at most "
            f"{MAX_BYTES / 1e6:.0f} MB fit into the repository; store float16, or publish a "
            "narrower network"
        )
    card = {
        "format": FORMAT,
        "name": name,
        "file": f"{name}.safetensors",
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "dtype": dtype,
        "architecture": shape,
        **facts,
    }
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / card["file"]) as part:
        part.write_bytes(content)
    with replacing(folder / f"{name}.json") as part:
        part.write_text(json.dumps(card, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return card


def _published(path: Path) -> Model:
    """A model from its two files, every byte and every weight accounted for."""
    card = _card(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    found = hashlib.sha256(content).hexdigest()
    if found != card["sha256"]:
        raise CheckpointError(
            f"{path}: has {len(content)} bytes of hash {found[:16]}..., its card says "
            f"{card['bytes']} bytes of hash {card['sha256'][:16]}...: it is truncated, or another "
            "file than was published; fetch it again"
        )
    try:
        weights = safetensors.torch.load(content)
        # Eight bytes with the length of the header, then the header in JSON.
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: no safetensors file ({error})") from error
    kept = header.get("__metadata__", {})
    if kept.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: expected weights of format {FORMAT}, found {kept.get('format')}; it is of "
            "another program"
        )
    checkpoint = Checkpoint(
        architecture=architecture_from(json.loads(kept["architecture"]), path),
        weights={key: value.float() for key, value in weights.items()},
    )
    d, h, w = card["size"]
    return Model(
        name=card["name"],
        net=registering(network_of(checkpoint, path), path).eval(),
        size=(d, h, w),
        dataset=card["dataset"],
        symmetric=card["symmetric"],
        lcc_window=card["lcc_window"],
        card=card,
        instance_steps=card.get("instance_steps", 0),
        instance_goal=card.get("instance_goal", {}),
    )


def _card(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".json")
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weights")
    try:
        card = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: its card {beside.name} is missing, without which it cannot be verified; "
            "put both files into one folder"
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{beside}: no readable model card ({error})") from error
    wanted = {"name", "sha256", "bytes", "size", "dataset", "symmetric", "lcc_window"}
    missing = sorted(wanted - set(card)) if isinstance(card, dict) else sorted(wanted)
    if missing:
        raise CheckpointError(f"{beside}: no model card of hipreg, it lacks {', '.join(missing)}")
    return dict(card)


def _bare(path: Path) -> Model:
    """A model from a checkpoint of training, which says less of itself."""
    checkpoint = load_checkpoint(path)
    dataset = str(checkpoint.metadata.get("dataset", "hippocampus"))
    return Model(
        name=str(checkpoint.metadata.get("name", path.stem)),
        net=registering(network_of(checkpoint, path), path).eval(),
        size=describe(dataset).size,
        dataset=dataset,
        symmetric=False,
        lcc_window=9,
        card={},
    )
