"""Batches of single cases, and what may be drawn for them."""

from __future__ import annotations

import pytest
import torch

from hipreg.data.augment import AffineMaps, Augmentation, draw, resample_channels
from hipreg.data.batches import CaseBank
from hipreg.data.intensity import IntensityChange, change_intensities, draw_intensities
from hipreg.data.labelled import case_plans
from hipreg.losses import one_hot
from tests.helpers import SMALL, box_label, generator, smooth_images

EVERYTHING = Augmentation(flips=False, quarter_turns=False, every_axis=True)
STILL = Augmentation(flips=False, quarter_turns=False, affine=False)
UNCHANGED = IntensityChange(max_gamma=0, max_brightness=0, max_noise=0)


@pytest.fixture
def bank() -> CaseBank:
    return CaseBank((3, 5, 7, 9, 11), smooth_images(5), box_label().repeat(5, 1, 1, 1, 1))


def plans(bank: CaseBank, *, epoch: int = 0, augmentation: Augmentation = EVERYTHING) -> list:  # type: ignore[type-arg]
    return list(
        case_plans(
            bank,
            batch_size=2,
            size=SMALL,
            augmentation=augmentation,
            intensity=IntensityChange(),
            seed=1,
            epoch=epoch,
        )
    )


def test_epoch_has_each_case_once_and_the_rest_in_a_smaller_batch(bank: CaseBank) -> None:
    found = plans(bank)
    assert [len(plan) for plan in found] == [2, 2, 1]
    assert sorted(torch.cat([plan.rows for plan in found]).tolist()) == [0, 1, 2, 3, 4]


def test_epoch_depends_on_seed_and_number_alone(bank: CaseBank) -> None:
    first, again, other = (plans(bank, epoch=e)[0].make(bank, labels=(1, 2)) for e in (0, 0, 1))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.targets, again.targets)
    assert not torch.equal(first.images, other.images)


def test_without_augmentation_a_batch_is_the_cases_themselves(bank: CaseBank) -> None:
    plan = next(
        case_plans(
            bank,
            batch_size=2,
            size=SMALL,
            augmentation=STILL,
            intensity=UNCHANGED,
            seed=0,
            epoch=0,
        )
    )
    batch = plan.make(bank, labels=(2, 1))
    assert torch.allclose(batch.images, bank.images[plan.rows], atol=1e-6)
    assert torch.equal(batch.targets, one_hot(bank.labels[plan.rows], (2, 1)))


def test_image_and_labels_are_read_at_the_same_positions() -> None:
    label = box_label()
    maps = draw(EVERYTHING, batch=1, source=SMALL, size=SMALL, generator=generator(3))
    image, targets = resample_channels(
        (label == 1).float(), label, maps, wanted=(1, 2), size=SMALL
    )
    assert torch.equal(image, targets[:, :1])
    assert ((targets > 0) & (targets < 1)).any()


def test_labels_between_two_voxels_are_half() -> None:
    label = torch.zeros(1, 1, 8, 8, 8, dtype=torch.uint8)
    label[:, :, 4:] = 1
    half = AffineMaps(torch.eye(3)[None], torch.tensor([[0.5, 0.0, 0.0]]))
    _, targets = resample_channels(label.float(), label, half, wanted=(1,), size=(8, 8, 8))
    assert targets[0, 0, :, 4, 4].tolist() == [0, 0, 0, 0.5, 1, 1, 1, 0.5]


def test_maps_of_every_axis_turn_and_zoom_within_their_limits() -> None:
    drawn = draw(
        Augmentation(
            flips=False, quarter_turns=False, every_axis=True, max_rotation=10, max_zoom=0.2
        ),
        batch=50,
        source=SMALL,
        size=SMALL,
        generator=generator(),
    )
    singular = torch.linalg.svdvals(drawn.matrix)
    assert 0.8 <= singular.min() < 0.9 < 1.1 < singular.max() <= 1.2
    assert (singular[:, 0] - singular[:, 2]).max() > 0.05
    assert (drawn.matrix.det() > 0).all()
    assert drawn.matrix[:, 0, 1].abs().min() > 0


def test_only_the_named_axes_are_mirrored() -> None:
    chosen = Augmentation(flips=True, flip_axes=(1,), quarter_turns=False, affine=False)
    matrix = draw(chosen, batch=20, source=SMALL, size=SMALL, generator=generator()).matrix
    signs = torch.diagonal(matrix, dim1=1, dim2=2)
    assert (signs[:, [0, 2]] == 1).all()
    assert signs[:, 1].unique().tolist() == [-1, 1]


def test_change_of_intensities_keeps_the_uncovered_and_the_range() -> None:
    images = smooth_images(3)
    images[:, :, :4] = 0
    drawn = draw_intensities(
        IntensityChange(max_gamma=1, max_brightness=0.5, max_noise=0.5),
        batch=3,
        generator=generator(),
    )
    changed = change_intensities(images, drawn)
    assert torch.equal(changed == 0, images == 0)
    assert 0 <= changed.min() < changed.max() <= 1
    assert torch.equal(changed, change_intensities(images, drawn))
    assert not torch.allclose(changed, images, atol=0.05)


def test_no_change_of_intensities_leaves_images_as_they_are() -> None:
    images = smooth_images(2)
    drawn = draw_intensities(UNCHANGED, batch=2, generator=generator())
    assert torch.allclose(change_intensities(images, drawn), images, atol=1e-6)
