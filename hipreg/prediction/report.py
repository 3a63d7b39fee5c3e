"""What a registered pair leaves on disk, and the numbers about it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hipreg.data.io import Volume, write_nifti
from hipreg.data.itk import sheared, write_itk_field
from hipreg.data.preprocess import scan_box
from hipreg.data.scan import volume_of
from hipreg.evaluation.figures import PanelVolumes, registration_panel
from hipreg.evaluation.metrics import dice
from hipreg.evaluation.smoothness import smoothness
from hipreg.evaluation.surface import hd95
from hipreg.files import filling
from hipreg.losses import lcc_loss, mse_loss
from hipreg.losses.similarity import covered
from hipreg.prediction.field import MARGIN, WorldMap, resample
from hipreg.prediction.pair import MappedPair
from hipreg.spatial import warp

FIELD = "displacement.nii.gz"
INVERSE = "inverse_displacement.nii.gz"
WARPED = "warped.nii.gz"
WARPED_LABEL = "warped_label.nii.gz"
PANEL = "panel.png"
METRICS = "metrics.json"


def save(pair: MappedPair, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write everything about a pair, see ``RegisteredPair.save``."""
    with filling(folder, overwrite=overwrite) as part:
        write_itk_field(part / FIELD, pair.displacement, pair.fixed.affine)
        if has_inverse(pair):
            write_itk_field(part / INVERSE, pair.inverse_displacement, pair.moving.affine)
        write_nifti(part / WARPED, pair.warp())
        if pair.moving_label is not None:
            write_nifti(part / WARPED_LABEL, pair.warp_label())
        draw(pair, part / PANEL)
        text = json.dumps(plain(measure(pair)), indent=2, allow_nan=False)
        (part / METRICS).write_text(text + "\n", encoding="utf-8")
        names = sorted(path.name for path in part.iterdir())
    return [folder / name for name in names]


def has_inverse(pair: MappedPair) -> bool:
    """Whether the registration treats both images alike, so that its inverse is one too."""
    return pair.symmetric or pair.refinement.both_directions


def measure(pair: MappedPair) -> dict[str, Any]:
    """Everything that can be measured of a pair.

    Dice is measured on the fixed image's own grid, HD95 in mm on the network's grid of voxels of
    one size, and the Jacobian there too, so that its numbers compare with the challenge's. Labels
    on one side only give nan.

    Returns:
        Plain values, numpy's and nan among them.
    """
    lengths = np.linalg.norm(pair.displacement, axis=0)
    found: dict[str, Any] = {
        "model": pair.model,
        "refinement": asdict(pair.refinement),
        "seconds": round(pair.seconds, 4),
        "alignment": pair.frame.alignment,
        "alignment_shift_mm": pair.unregistered.reshape(3, -1).mean(axis=1).tolist(),
        "fixed_shape": list(pair.fixed.data.shape),
        "moving_shape": list(pair.moving.data.shape),
        "registered_size": list(pair.frame.size),
        "registered_centre_mm": _middle(pair),
        "share_of_fixed_registered": float(_inside(pair).mean()),
        "displacement_mm": {"mean": float(lengths.mean()), "max": float(lengths.max())},
        "images": _similarity(pair),
        "jacobian": asdict(smoothness(_field(pair))),
        "notes": _notes(pair),
    }
    if has_inverse(pair):
        found["inverse_error_voxels"] = pair.world_map.inverse_error
    if pair.fixed_label is not None and pair.moving_label is not None:
        found["labels"] = _overlaps(pair, pair.fixed_label, pair.moving_label)
    return found


def plain(value: Any) -> Any:
    """A value as JSON has it: nan becomes null, infinities words."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def draw(pair: MappedPair, path: Path) -> None:
    """Draw the pair on the network's grid."""
    moving, fixed = pair.on_grid
    grid = _grid(pair)
    still = WorldMap(pair.frame, torch.zeros_like(pair.world_map.displacement)).on_grid(grid)
    labels = []
    for label, at in ((pair.fixed_label, np.zeros_like(still)), (pair.moving_label, still)):
        if label is None:
            labels.append(np.zeros(pair.frame.size, dtype=np.int32))
        else:
            values = resample(label, grid, at, interpolation="nearest")
            labels.append(values.astype(np.int32))
    volumes = PanelVolumes(
        fixed=fixed,
        moving=moving,
        fixed_label=labels[0],
        moving_label=labels[1],
        displacement=_field(pair),
    )
    registration_panel(path, volumes, title=f"Registered with {pair.model}")


def _grid(pair: MappedPair) -> Volume:
    """The network's grid as an empty volume in the fixed image's world."""
    return volume_of(np.zeros(pair.frame.size, dtype=np.float32), pair.frame.to_fixed)


def _field(pair: MappedPair) -> np.ndarray[Any, np.dtype[np.float32]]:
    """(3, D, H, W), the displacement on the network's grid in its voxels."""
    inner = slice(MARGIN, -MARGIN)
    field = pair.world_map.displacement[0, :, inner, inner, inner].numpy()
    return np.ascontiguousarray(field, dtype=np.float32)


def _middle(pair: MappedPair) -> list[float]:
    centre = (np.array(pair.frame.size) - 1) / 2
    middle = pair.frame.to_fixed[:3, :3] @ centre + pair.frame.to_fixed[:3, 3]
    return [round(float(value), 3) for value in middle]


def _inside(pair: MappedPair) -> npt.NDArray[np.float32]:
    """(D, H, W), 1 where the fixed image's voxels lie on the network's grid, else 0."""
    grid = volume_of(np.ones(pair.frame.size, dtype=np.float32), pair.frame.to_fixed)
    nowhere = np.zeros((3, *pair.fixed.data.shape), dtype=np.float32)
    return np.asarray(resample(grid, pair.fixed, nowhere, interpolation="nearest"))


def _similarity(pair: MappedPair) -> dict[str, dict[str, float]]:
    """Image losses before and after, where both scans cover the network's grid."""
    moving, fixed = (torch.from_numpy(image.copy())[None, None] for image in pair.on_grid)
    warped = warp(moving, torch.from_numpy(_field(pair))[None])
    result: dict[str, dict[str, float]] = {"lcc": {}, "mse": {}}
    for when, image in (("before", moving), ("after", warped)):
        mask = covered(image[None], fixed)
        lcc = lcc_loss(image[None], fixed, mask=mask, window=9)
        result["lcc"][when] = 1 - float(lcc.mean())
        result["mse"][when] = float(mse_loss(image[None], fixed, mask=mask).mean())
    return result


def _overlaps(pair: MappedPair, fixed: Volume, moving: Volume) -> dict[str, Any]:
    """Dice and HD95 of every label, before and after registration."""
    grid = _grid(pair)
    still = WorldMap(pair.frame, torch.zeros_like(pair.world_map.displacement))
    nowhere = np.zeros((3, *pair.frame.size), dtype=np.float32)
    target = resample(fixed, grid, nowhere, interpolation="nearest")
    result: dict[str, Any] = {}
    for when, world_map in (("before", still), ("after", pair.world_map)):
        own = pair.displacement if when == "after" else pair.unregistered
        native = resample(moving, pair.fixed, own, interpolation="nearest")
        even = resample(moving, grid, world_map.on_grid(grid), interpolation="nearest")
        for label in _values(fixed, moving):
            row = result.setdefault(str(label), {"dice": {}, "hd95_mm": {}})
            known = bool((fixed.data == label).any() and (moving.data == label).any())
            masks = target == label, even == label
            row["dice"][when] = dice(fixed.data == label, native == label) if known else math.nan
            row["hd95_mm"][when] = hd95(*masks) * _edge(pair) if known else math.nan
    return result


def _values(*labels: Volume) -> list[int]:
    found = np.unique(np.concatenate([np.unique(label.data) for label in labels]))
    return [int(value) for value in found if value != 0]


def _edge(pair: MappedPair) -> float:
    return float(np.linalg.norm(pair.frame.to_fixed[:3, 0]))


def _notes(pair: MappedPair) -> list[str]:
    notes = []
    share = float(_inside(pair)[scan_box(pair.fixed.data)].mean())
    if share < 1:
        notes.append(
            f"{share:.1%} of the fixed scan was registered, around {_middle(pair)} mm; elsewhere "
            "the displacement fades to nothing"
        )
    for name, volume in (("fixed", pair.fixed), ("moving", pair.moving)):
        if sheared(volume.affine):
            notes.append(
                f"the {name} image's axes are not at right angles, which ITK cannot represent: "
                "other programs will apply the displacement field wrongly"
            )
    return notes
