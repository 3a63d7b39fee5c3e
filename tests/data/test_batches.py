"""Batches from cases on a device."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hipreg.data import CasePair, describe, synthetic_cohort
from hipreg.data.augment import Augmentation
from hipreg.data.batches import CaseBank
from hipreg.types import Pair
from tests.helpers import SMALL


def numbered_bank(count: int = 7) -> CaseBank:
    """Cases whose images hold their own number, so that pairs can be told apart."""
    numbers = torch.arange(1, count + 1)
    volumes = numbers.view(-1, 1, 1, 1, 1).expand(-1, 1, *SMALL)
    return CaseBank(
        cases=tuple(int(n) * 10 for n in numbers),
        images=(volumes / 100).contiguous(),
        labels=(volumes % 3).to(torch.uint8),
    )


def cases_of(batches: list[Pair]) -> tuple[list[int], list[int]]:
    def read(images: list[torch.Tensor]) -> list[int]:
        return [round(float(v) * 1000) for v in torch.cat(images)[:, 0, 8, 8, 8]]

    return read([b.moving for b in batches]), read([b.fixed for b in batches])


def epoch(bank: CaseBank, seed: int = 0, number: int = 0, **kwargs: object) -> list[Pair]:
    return list(
        bank.batches(
            batch_size=3,
            size=SMALL,
            seed=seed,
            epoch=number,
            **kwargs,  # type: ignore[arg-type]
        )
    )


def test_an_epoch_is_each_case_once_with_another_case() -> None:
    bank = numbered_bank()
    batches = epoch(bank)
    moving, fixed = cases_of(batches)
    assert [len(b.fixed) for b in batches] == [3, 3, 1]
    assert sorted(fixed) == list(bank.cases)
    assert all(m != f for m, f in zip(moving, fixed, strict=True))


def test_epochs_and_seeds_differ_and_repeat() -> None:
    bank = numbered_bank(20)
    first = cases_of(epoch(bank))
    assert first == cases_of(epoch(bank))
    assert first != cases_of(epoch(bank, number=1))
    assert first != cases_of(epoch(bank, seed=1))
    assert cases_of(epoch(bank, seed=1)) != cases_of(epoch(bank, number=1))


def test_augmentation_keeps_images_and_labels_of_a_pair_together() -> None:
    bank = numbered_bank()
    for pair in epoch(bank, augmentation=Augmentation(max_translation=2)):
        centre = (slice(None), 0, 8, 8, 8)
        numbers = (pair.fixed[centre] * 100).round()
        assert torch.equal(pair.fixed_label[centre].float(), numbers % 3)


def test_named_pairs_come_in_their_order() -> None:
    bank = numbered_bank()
    pairs = [CasePair(fixed=10, moving=70), CasePair(30, 20), CasePair(60, 50)]
    moving, fixed = cases_of(list(bank.named_pairs(pairs, batch_size=2)))
    assert fixed == [10, 30, 60]
    assert moving == [70, 20, 50]


def test_bank_copies_the_chosen_cases_of_a_cohort() -> None:
    cohort = synthetic_cohort(describe("synthetic"), n=3, seed=0)
    bank = CaseBank.of(cohort, [cohort.cases[2], cohort.cases[0]])
    np.testing.assert_array_equal(bank.images[0, 0].numpy(), cohort.images[2])
    assert bank.labels.dtype == torch.uint8
    with pytest.raises(ValueError, match="no case 999"):
        CaseBank.of(cohort, [999])


def test_a_single_case_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="at least two cases"):
        epoch(numbered_bank(1))


def test_cases_of_groups_are_paired_within_their_group() -> None:
    bank = replace(numbered_bank(9), groups=(0, 1, 0, 1, 0, 1, 0, 1, 0))
    for number in range(5):
        moving, fixed = cases_of(epoch(bank, number=number))
        assert sorted(fixed) == list(bank.cases)
        for m, f in zip(moving, fixed, strict=True):
            assert m != f
            assert (m // 10) % 2 == (f // 10) % 2


def test_a_case_alone_in_its_group_is_refused() -> None:
    bank = replace(numbered_bank(3), groups=(0, 0, 1))
    with pytest.raises(ValueError, match="two cases of a group"):
        epoch(bank)
