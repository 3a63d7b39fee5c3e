"""The public entrance: two scans in, their registration out."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from hipreg.data.brain_frame import Side, hippocampus_frame
from hipreg.data.frame import Alignment, Frame, common_frame, on_frame, ras_directions
from hipreg.data.io import Volume
from hipreg.data.preprocess import scan_box
from hipreg.data.scan import ScanSource, read_image, read_label
from hipreg.models.weights import Model, load_model
from hipreg.prediction.field import WorldMap
from hipreg.prediction.network import predict
from hipreg.prediction.options import Refinement
from hipreg.prediction.registered import RegisteredPair
from hipreg.types import Size

logger = logging.getLogger(__name__)

load = load_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How two scans are registered.

    Attributes:
        alignment: What brings the images together first, see ``hipreg.data.frame.common_frame``;
            or "left" or "right", the hippocampus of two whole brains that is registered, see
            ``hipreg.data.brain_frame.hippocampus_frame``.
        centre: Where to register, in mm of the fixed image's world; None for the middle of the
            fixed label where there is one and the image is larger than the network's grid, else
            the middle of the fixed image.
        refinement: What is done beside the network's one prediction; None for what belongs to
            the model, such as the steps of instance optimisation it was published with.
        device: Where the network runs.
    """

    alignment: Alignment | Side = "auto"
    centre: Sequence[float] | None = None
    refinement: Refinement | None = None
    device: str = "cpu"


def register(
    moving: ScanSource,
    fixed: ScanSource,
    model: str | Path | Model = "sym",
    *,
    moving_label: ScanSource | None = None,
    fixed_label: ScanSource | None = None,
    options: Options | None = None,
) -> RegisteredPair:
    """Register a moving to a fixed image, each in its own space.

    Args:
        moving: A NIfTI file, an image of nibabel, or an array or tensor (D, H, W).
        fixed: Likewise; of any grid, spacing and orientation.
        model: Name of a published model, path of weights, or what :func:`load` returned.
        moving_label: Hard labels on the moving grid, to be measured and warped; never used to
            register.
        fixed_label: Hard labels on the fixed grid, to measure against; used only to choose where
            to register in an image larger than the network's grid (see :class:`Options`).
        options: Alignment, place, test-time options, device.

    Returns:
        The registered pair.

    Raises:
        ValueError: Anything is wrong with images, labels, model or options; says what.
    """
    chosen = options or Options()
    network = model if isinstance(model, Model) else load_model(model)
    scans = {"moving": read_image(moving, "moving"), "fixed": read_image(fixed, "fixed")}
    labels = {
        name: None if source is None else read_label(source, scans[name], name)
        for name, source in (("moving", moving_label), ("fixed", fixed_label))
    }
    wanted = chosen.refinement or Refinement.of(network)
    began = time.perf_counter()
    frame = place(scans["fixed"], scans["moving"], labels["fixed"], network, chosen)
    window = network.description.intensity
    images = np.stack(
        [
            on_frame(scans["moving"], frame.to_moving, frame.size, window, "moving"),
            on_frame(scans["fixed"], frame.to_fixed, frame.size, window, "fixed"),
        ]
    )
    return RegisteredPair(
        fixed=scans["fixed"],
        moving=scans["moving"],
        fixed_label=labels["fixed"],
        moving_label=labels["moving"],
        world_map=WorldMap.of(frame, _displacement(network, images, wanted, chosen.device)),
        on_grid=images,
        model=network.name,
        symmetric=network.symmetric,
        refinement=wanted,
        seconds=time.perf_counter() - began,
    )


def place(
    fixed: Volume, moving: Volume, label: Volume | None, model: Model, options: Options
) -> Frame:
    """The network's grid on a pair: as large as in training, or as the fixed scan needs."""
    alignment = options.alignment
    if alignment == "left" or alignment == "right":  # in words that a type checker understands
        return _on_hippocampus(fixed, moving, alignment, model, options.centre)
    size, covered = grid_size(fixed, model)
    centre = options.centre
    if centre is None and not covered:
        centre = None if label is None else label_middle(label)
        logger.warning(
            "The fixed image is larger than the %s mm that are registered, %s; beyond them the "
            "displacement fades to nothing. Another place: centre (--centre X Y Z in mm); a "
            "hippocampus of whole brains: alignment (--align left or right)",
            " x ".join(map(str, size)),
            "around its middle" if centre is None else "around the middle of its label",
        )
    return common_frame(
        fixed,
        moving,
        size=size,
        spacing=model.description.spacing,
        alignment=alignment,
        centre=centre,
    )


def _on_hippocampus(
    fixed: Volume, moving: Volume, side: Side, model: Model, centre: Sequence[float] | None
) -> Frame:
    if centre is not None:
        raise ValueError(f"alignment {side!r} finds the place itself: leave out the centre")
    return hippocampus_frame(
        fixed, moving, side=side, size=model.size, description=model.description
    )


def grid_size(fixed: Volume, model: Model) -> tuple[Size, bool]:
    """The grid for a fixed image, and whether it covers the whole scan.

    It is that of the model's training, larger where the scan needs it, up to the size that the
    data set's images were prepared in.
    """
    # From the image's middle, on which the grid lies, to the farther end of the scan.
    reach = [
        max(n / 2 - part.start, part.stop - n / 2) * 2 * edge
        for n, part, edge in zip(
            fixed.data.shape, scan_box(fixed.data), fixed.spacing, strict=True
        )
    ]
    directions = np.abs(ras_directions(fixed.affine).T @ fixed.affine[:3, :3])
    order = directions.argmax(axis=1)
    multiple = model.net.size_multiple
    sizes, covered = [], True
    for axis, (usual, full) in enumerate(zip(model.size, model.description.size, strict=True)):
        needed = reach[order[axis]] / model.description.spacing - 1e-3
        grown = -(-int(np.ceil(needed)) // multiple) * multiple
        sizes.append(min(max(usual, grown), max(usual, full)))
        covered &= needed <= sizes[-1]
    return (sizes[0], sizes[1], sizes[2]), covered


def label_middle(label: Volume) -> list[float]:
    """World coordinates in mm of the middle of all labelled voxels."""
    voxel = np.argwhere(label.data != 0).mean(axis=0)
    return [float(v) for v in label.affine[:3, :3] @ voxel + label.affine[:3, 3]]


def _displacement(
    model: Model, images: np.ndarray, wanted: Refinement, device_name: str
) -> torch.Tensor:
    try:
        device = torch.device(device_name)
        pair = torch.from_numpy(images)[:, None, None].to(device)
        net = model.net.to(device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {device_name!r} cannot be used: {error}") from error
    moving, fixed = pair
    return predict(net, moving, fixed, wanted, lcc_window=model.lcc_window)
