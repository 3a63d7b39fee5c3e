"""The segmentation network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hipreg.models import (
    Checkpoint,
    CheckpointError,
    SegmentationArchitecture,
    SegmentationNet,
    load_checkpoint,
    load_net,
    network_of,
    save_checkpoint,
)
from hipreg.models.segmentation import (
    build_segmentation,
    channels_to_voxels,
    hard_labels,
    voxels_to_channels,
)
from tests.helpers import smooth_images

ARCHITECTURE = SegmentationArchitecture(widths=(8, 16), blocks=(1, 1))


@pytest.fixture
def net() -> SegmentationNet:
    return build_segmentation(ARCHITECTURE, seed=1).eval()


def test_voxels_to_channels_is_undone_and_keeps_cubes_together() -> None:
    volume = torch.arange(2 * 2 * 4 * 6 * 8.0).reshape(2, 2, 4, 6, 8)
    channels = voxels_to_channels(volume, 2)
    assert channels.shape == (2, 16, 2, 3, 4)
    assert torch.equal(channels[0, :8, 1, 2, 3], volume[0, 0, 2:, 4:, 6:].flatten())
    assert torch.equal(channels_to_voxels(channels, 2), volume)


def test_every_voxel_has_a_logit_of_the_background_and_of_each_label(net: SegmentationNet) -> None:
    logits = net(smooth_images(2))
    assert logits.shape == (2, 3, 16, 16, 16)
    assert logits.dtype == torch.float32


def test_logits_are_float32_under_autocast(net: SegmentationNet) -> None:
    images = smooth_images(1)
    with torch.autocast("cpu", torch.bfloat16):
        logits = net(images)
    assert logits.dtype == torch.float32
    assert torch.allclose(logits, net(images), atol=0.2)


def test_probabilities_of_the_labels_and_the_background_add_up_to_one(
    net: SegmentationNet,
) -> None:
    images = smooth_images(1)
    found = net.probabilities(images)
    assert torch.allclose(found.sum(1) + net(images).softmax(1)[:, 0], torch.ones(()))


def test_mean_over_mirror_images_is_mirrored_with_the_image(net: SegmentationNet) -> None:
    images = smooth_images(1)
    plain = net.probabilities(images, flips=(0, 2))
    mirrored = net.probabilities(images.flip(2), flips=(0, 2)).flip(2)
    assert torch.allclose(plain, mirrored, atol=1e-6)
    assert not torch.allclose(plain, net.probabilities(images), atol=1e-3)


def test_mean_over_two_placements_moves_the_second_back(net: SegmentationNet) -> None:
    images = smooth_images(1)
    moved = net.probabilities(images.roll((1, 1, 1), (2, 3, 4))).roll((-1, -1, -1), (2, 3, 4))
    found = net.probabilities(images, shifted=True)
    assert torch.allclose(found, (net.probabilities(images) + moved) / 2, atol=1e-6)
    assert (found - moved).abs().max() > 1e-3


def test_axis_that_is_none_is_refused(net: SegmentationNet) -> None:
    with pytest.raises(ValueError, match="axes out of 0, 1 and 2"):
        net.probabilities(smooth_images(1), flips=(3,))


def test_most_probable_label_is_taken_and_the_background_has_the_rest() -> None:
    probabilities = torch.tensor([[0.5, 0.2, 0.3, 0.0], [0.4, 0.1, 0.6, 0.0]])
    found = hard_labels(probabilities.reshape(1, 2, 4, 1, 1), labels=(3, 7))
    assert found.flatten().tolist() == [3, 0, 7, 0]
    assert found.dtype == torch.uint8


@pytest.mark.parametrize("shape", [(1, 2, 16, 16, 16), (16, 16, 16), (1, 1, 16, 16, 18)])
def test_image_of_another_shape_is_refused(net: SegmentationNet, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"images must be|multiple of 4"):
        net(torch.zeros(shape))


@pytest.mark.parametrize(
    "entries",
    [
        {"labels": ()},
        {"labels": (0, 1)},
        {"labels": (1, 1)},
        {"widths": (16,), "blocks": (1, 1)},
        {"widths": (0,), "blocks": (1,)},
        {"stride": 0},
        {"blocks": (1, 1, -1)},
    ],
)
def test_impossible_network_is_refused(entries: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="got"):
        SegmentationArchitecture(**entries)  # type: ignore[arg-type]


def test_same_seed_gives_the_same_network_and_another_one_another() -> None:
    first, same, other = (
        torch.cat([p.flatten() for p in build_segmentation(ARCHITECTURE, seed=s).parameters()])
        for s in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_checkpoint_gives_the_network_back_and_does_not_pass_for_one_that_registers(
    net: SegmentationNet, tmp_path: Path
) -> None:
    path = tmp_path / "best.pt"
    save_checkpoint(path, Checkpoint(ARCHITECTURE, net.state_dict()))
    again = network_of(load_checkpoint(path), path).eval()
    images = smooth_images(1)
    assert torch.equal(again(images), net(images))
    with pytest.raises(CheckpointError, match="SegmentationNet, which does not register"):
        load_net(path)
