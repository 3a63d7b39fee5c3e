"""Pairs of scans in spaces of their own, and a small network that moves them."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation

from hipreg.data.itk import image_with_header
from hipreg.models import Model, RegistrationNet, build
from tests.helpers import TINY


def moving_net(seed: int = 0) -> RegistrationNet:
    """A network whose untrained head deforms by up to two voxels, without folds."""
    net = build(TINY, seed=seed)
    torch.nn.init.normal_(net.decoder.head.weight, std=0.02, generator=_seeded(seed))
    return net.eval()


def small_model(*, symmetric: bool = True) -> Model:
    """A model for volumes of about 16 voxels."""
    return Model("small", moving_net(), (16, 16, 16), "synthetic", symmetric, 5, {})


def world(
    origin: tuple[float, float, float] = (10.0, -20.0, 30.0),
    *,
    angle: float = 0.0,
    edges: tuple[float, float, float] = (1.0, 1.0, 1.0),
    flips: tuple[int, ...] = (),
) -> np.ndarray:
    """An affine of any obliqueness, anisotropy and mirrored axes."""
    turn = Rotation.from_euler("xyz", [angle, -angle / 2, angle / 3], degrees=True).as_matrix()
    signs = [-1.0 if axis in flips else 1.0 for axis in range(3)]
    affine = np.eye(4)
    affine[:3, :3] = turn * edges * signs
    affine[:3, 3] = origin
    return affine


def smooth_scan(
    path: Path, affine: np.ndarray, *, seed: int = 1, shape: tuple[int, int, int] = (15, 17, 13)
) -> Path:
    """Write a smooth image of noise, and a label map of two blobs beside it."""
    noise = np.random.default_rng(seed).standard_normal(shape)
    data = ndimage.gaussian_filter(noise, 1.5)
    image = (1000 * (data - data.min()) + 5).astype(np.float32)
    nibabel.save(image_with_header(image, affine), path)
    label = (data > np.percentile(data, 75)).astype(np.uint8)
    label[: shape[0] // 2] *= 2
    nibabel.save(image_with_header(label, affine), label_of(path))
    return path


def label_of(path: Path) -> Path:
    """The label map beside an image."""
    return path.with_name("label_" + path.name)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
