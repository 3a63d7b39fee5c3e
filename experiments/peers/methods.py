"""What is run on the pairs: a program or one of our models, with all that its result hangs on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from experiments import settings as entries
from experiments.labels import label_use
from experiments.peers.peer import Field, Peer, Settings, Volume
from experiments.peers.worker import Register
from experiments.trained import TrainedModel, trained_model
from hipreg.evaluation.network import extend
from hipreg.models import Model
from hipreg.prediction import Refinement, predict
from hipreg.types import Size

PEER, MODEL = "peer", "model"
OURS = ("torch", "numpy")
"""The packages that a result of our own models hangs on."""


@dataclass(frozen=True, slots=True)
class Method:
    """A program or a model.

    Attributes:
        name: In names of files.
        title: In tables.
        kind: ``PEER`` or ``MODEL``.
        labels: Which were seen, see ``experiments.labels``.
        size: Voxels D, H, W of the central crop that it registers.
        settings: As they are recorded.
        versions: Of the packages that its result hangs on.
        load: Makes it ready, in the process and for the number of threads that will register.
    """

    name: str
    title: str
    kind: str
    labels: str
    size: Size
    settings: Settings
    versions: dict[str, str]
    load: Callable[[int], Register]


def of_peer(peer: Peer, settings: Settings, size: Size) -> Method:
    """A program with its settings, on crops of a size."""
    return Method(
        name=peer.name,
        title=peer.title,
        kind=PEER,
        labels="none",
        size=size,
        settings=settings,
        versions=versions_of(peer.packages),
        load=partial(peer.load, settings),
    )


def of_model(source: str, refined: Callable[[Model], Refinement], device: str) -> Method:
    """A trained model, on the crops that it was evaluated on.

    Args:
        source: As for ``experiments.trained.trained_model``.
        refined: What is done at test time besides the prediction.
        device: It runs on.

    Raises:
        PlainError: There is no such model.
    """
    trained = trained_model(source)
    wanted = refined(trained.model)
    method = of_trained(trained, wanted, device)
    # A network does not travel to another process: it is read there.
    return replace(method, load=partial(_load_model, source, wanted, device))


def of_trained(trained: TrainedModel, wanted: Refinement, device: str) -> Method:
    """The same of a model that is read already, to register in this process.

    Args:
        trained: The model.
        wanted: What is done at test time besides the prediction.
        device: It runs on.
    """
    model = trained.model
    config = trained.config or model.card.get("config", {})
    return Method(
        name=model.name if trained.run is None else f"run-{trained.run.name}",
        title=f"hipreg {model.name}",
        kind=MODEL,
        labels=label_use(config),
        size=model.size,
        settings={"weights": digest(model), "device": device, **_told(wanted)},
        versions=versions_of(OURS),
        load=partial(_ready, model, wanted, device),
    )


def _told(wanted: Refinement) -> dict[str, Any]:
    """What is done at test time; how it is optimised only where it is."""
    if wanted.steps:
        return asdict(wanted)
    return {"both_directions": wanted.both_directions, "flips": wanted.flips, "steps": 0}


def digest(model: Model) -> str:
    """Stands for a model's weights, wherever they were read from."""
    found = hashlib.sha256()
    for name, tensor in sorted(model.net.state_dict().items()):
        found.update(name.encode() + tensor.float().numpy().tobytes())
    return found.hexdigest()[:16]


def _load_model(source: str, wanted: Refinement, device: str, threads: int) -> Register:
    return _ready(trained_model(source).model, wanted, device, threads)


def _ready(model: Model, wanted: Refinement, device: str, threads: int) -> Register:
    where = entries.device({"device": device, "threads": threads})
    net = model.net.to(where)

    def register(moving: Volume, fixed: Volume) -> Field:
        images = (torch.tensor(v, device=where)[None, None] for v in (moving, fixed))
        found = predict(net, *images, wanted, lcc_window=model.lcc_window)
        field: Field = found[0].cpu().numpy()
        return field

    # What is compiled or looked up at the first use is none of a pair's time.
    nothing = torch.rand(2, *model.size).numpy()
    register(nothing[0], nothing[1])
    return register


def on_grid(field: Field, size: Size) -> Field:
    """The displacement of a central crop on the whole grid, as that of our networks is put."""
    found: Field = extend(torch.from_numpy(field)[None], size=size)[0].numpy()
    return found


def versions_of(packages: tuple[str, ...]) -> dict[str, str]:
    """The installed version of each package."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found
