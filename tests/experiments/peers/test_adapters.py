"""Each program's displacement means what ours means: the right way, along the right axes."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from experiments.peers.itk_axes import field_of
from experiments.peers.peer import Field, Peer, Volume
from experiments.peers.programs import IDENTITY, PEERS
from experiments.peers.worker import Worker
from hipreg.evaluation import smoothness
from hipreg.spatial import warp

SIZE = (36, 48, 40)

# Much less than each program's own: the direction shows at once.
QUICK = {
    "demons": {"affine_iterations": 50, "iterations": (40, 20, 10)},
    "elastix": {"affine_iterations": 60, "iterations": 60, "resolutions": 2},
    "convexadam": {"selected_niter": 20},
    "ants": {"iterations": (20, 10, 0)},
}


def installed(name: str) -> Peer:
    """The peer, or a skip: most are too big to be asked of everybody who tests."""
    if not PEERS[name].installed:
        pytest.skip(f"{name} is not installed: {PEERS[name].install}")
    return PEERS[name]


def true_field() -> Field:
    """A shift of its own along each axis, and a smooth bulge across them."""
    field = np.empty((3, *SIZE), dtype=np.float32)
    along = [np.sin(np.pi * np.arange(n) / (n - 1)) for n in SIZE]
    field[0] = 1.5 + 1.0 * along[1][None, :, None]
    field[1] = -2.0 - 1.0 * along[2][None, None, :]
    field[2] = 0.8 * along[0][:, None, None]
    return field


def scan(seed: int = 3) -> Volume:
    """Blobs of two scales with a dark background: a region with structure everywhere."""
    noise = np.random.default_rng(seed).standard_normal(SIZE)
    blobs = gaussian_filter(noise, 3) * 6 + gaussian_filter(noise[::-1], 1.5)
    middle = np.zeros(SIZE)
    middle[6:-6, 6:-6, 6:-6] = 1
    image = (blobs - blobs.min()) / np.ptp(blobs) * gaussian_filter(middle, 2)
    return np.clip(image, 1e-3, 1).astype(np.float32)


def pair() -> tuple[Volume, Volume]:
    """Moving image, and the fixed one that it is under the true field."""
    moving = scan()
    fixed = warp(torch.from_numpy(moving)[None, None], torch.from_numpy(true_field())[None])
    return moving, fixed[0, 0].numpy()


def error(found: Field) -> float:
    """Mean distance in voxels from the true field, where the images show something."""
    inner = (slice(None), *(slice(n // 4, -n // 4) for n in SIZE))
    return float(np.linalg.norm((found - true_field())[inner], axis=0).mean())


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("elastix", "convexadam", "ants")]


@pytest.mark.parametrize("name", ["demons", *SLOW])
def test_known_deformation_is_recovered(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = installed(name)
    monkeypatch.chdir(tmp_path)
    with Worker(name, partial(peer.load, {**peer.settings, **QUICK[name]}), threads=1) as worker:
        found = worker.register(*pair()).field
    assert list(tmp_path.iterdir()) == []
    assert found.shape == (3, *SIZE)
    assert found.dtype == np.float32
    assert smoothness(found).folding < 0.01
    # No displacement at all is off by 3.3 voxels and more, a wrong sign or axis by 1.5 and more.
    assert error(np.zeros_like(found)) > 3.3
    assert error(found) < 1.0
    for wrong in (-found, found[[1, 0, 2]], found[[2, 1, 0]], found[[0, 2, 1]]):
        assert error(wrong) > 1.5


def test_identity_leaves_the_pair_as_it_is() -> None:
    assert not IDENTITY.adapter(*pair(), {}).any()


def test_itk_counts_axes_from_the_last() -> None:
    vectors = np.zeros((2, 3, 4, 3))
    vectors[1, 2, 3] = (10.0, 20.0, 30.0)
    np.testing.assert_array_equal(field_of(vectors)[:, 1, 2, 3], (30.0, 20.0, 10.0))
    with pytest.raises(ValueError, match=r"\(D, H, W, 3\), got \(3, 2, 3, 4\)"):
        field_of(np.zeros((3, 2, 3, 4)))
