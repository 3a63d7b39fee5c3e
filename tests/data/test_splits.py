"""Splits and pairs: the tracked files, the rules they follow, and bad files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from hipreg.data import (
    CasePair,
    all_pairs,
    check_pairs,
    describe,
    pairs_for,
    read_pairs,
    read_splits,
    read_subjects,
    reversed_pairs,
    split_subjects,
    splits_for,
    write_subjects,
)
from hipreg.data.datasets import hippocampus
from hipreg.data.splits import make_splits, spread_selection, write_splits

TRACKED = Path(__file__).parents[2] / "data" / "splits" / "hippocampus"


def test_tracked_splits_are_those_of_the_challenge() -> None:
    splits = read_splits(TRACKED)
    assert (len(splits.train), len(splits.val), len(splits.test)) == (200, 60, 130)
    assert splits.train == hippocampus.TRAIN
    assert splits.val == hippocampus.VAL
    assert splits.test == tuple(sorted(hippocampus.TEST))
    assert max(splits.train) <= 310 < min(splits.val)


def test_selection_is_a_part_of_training_alone() -> None:
    splits = read_splits(TRACKED)
    assert len(splits.selection) == 20
    assert sorted((*splits.fit, *splits.selection)) == list(splits.train)
    assert not set(splits.fit) & set(splits.selection)
    assert not set(splits.selection) & {*splits.val, *splits.test}
    places = [splits.train.index(case) for case in splits.selection]
    assert {b - a for a, b in pairwise(places)} == {10}


@pytest.mark.parametrize("split", ["val", "test", "selection"])
def test_tracked_pairs_follow_the_rule(split: str) -> None:
    splits = read_splits(TRACKED)
    expected = reversed_pairs(getattr(splits, split))
    assert read_pairs(TRACKED / f"pairs_{split}.csv") == expected
    assert pairs_for(describe("hippocampus"), split) == expected


def test_first_validation_pairs_are_the_official_ones() -> None:
    pairs = read_pairs(TRACKED / "pairs_val.csv")
    assert len(pairs) == 60
    assert pairs[:3] == [(311, 394), (314, 393), (316, 390)]
    assert pairs[0].fixed == 311
    assert pairs[0].moving == 394


def test_tracked_files_are_what_the_rules_write(tmp_path: Path) -> None:
    splits = make_splits(hippocampus.TRAIN, hippocampus.VAL, hippocampus.TEST, 20)
    write_splits(splits, describe("hippocampus"), tmp_path)
    for path in sorted(TRACKED.iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_reversed_pairs_of_reversed_roles_are_the_same_set() -> None:
    pairs = reversed_pairs([5, 1, 3, 2])
    assert pairs == [(1, 5), (2, 3), (3, 2), (5, 1)]
    assert {(moving, fixed) for fixed, moving in pairs} == set(pairs)


def test_all_pairs_has_every_two_cases_once() -> None:
    assert all_pairs([3, 1, 2]) == [(1, 2), (1, 3), (2, 3)]


def test_pair_of_an_unknown_case_is_an_error_that_names_all(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("fixed,moving\n1,2\n1,99\n77,2\n55,56\n")
    with pytest.raises(ValueError, match=r"3 pair\(s\)") as caught:
        read_pairs(path, known=[1, 2, 3])
    message = str(caught.value)
    assert str(path) in message
    assert "(1, 99): no case 99" in message
    assert "(77, 2): no case 77" in message
    assert "(55, 56): no case 55 and no case 56" in message
    assert "3 known cases are numbered 1 to 3" in message
    check_pairs([CasePair(1, 2)], [1, 2], "here")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("moving,fixed\n1,2\n", "columns must be"),
        ("", "columns must be"),
        ("fixed,moving\n1,x\n2,\n", r"2 bad line\(s\)"),
        ("fixed,moving\n1\n", "line 2"),
    ],
)
def test_malformed_pairs_are_errors(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_pairs(path)


def test_missing_files_are_errors_that_name_them(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cases\.csv: cannot be read"):
        read_splits(tmp_path)
    with pytest.raises(ValueError, match=r"nothing\.csv: cannot be read"):
        read_pairs(tmp_path / "nothing.csv")


def test_malformed_splits_name_every_bad_line(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(
        "case,split,subset\n1,train,fit\n1,val,\n2,train,\n3,valid,\nx,val,\n4,val,fit\n"
    )
    with pytest.raises(ValueError, match=r"5 bad line\(s\)") as caught:
        read_splits(tmp_path)
    for part in ("line 3: case 1 is already on line 2", "line 4", "line 5", "line 6", "line 7"):
        assert part in str(caught.value)


def test_synthetic_splits_are_generated() -> None:
    description = describe("synthetic")
    splits = splits_for(description)
    assert (len(splits.train), len(splits.val), len(splits.selection)) == (96, 12, 12)
    assert not set(splits.train) & set(splits.val)
    assert pairs_for(description, "val") == reversed_pairs(splits.val)


def test_pairs_of_an_unknown_split_are_an_error() -> None:
    with pytest.raises(ValueError, match="selection, val, test; got 'train'"):
        pairs_for(describe("hippocampus"), "train")


def test_selection_takes_what_is_asked_or_fails() -> None:
    assert spread_selection(range(10), 0) == ()
    assert spread_selection([3, 1, 2], 3) == (1, 2, 3)
    with pytest.raises(ValueError, match="4 of 3"):
        spread_selection([1, 2, 3], 4)


def test_subjects_are_split_by_seed_and_never_shared() -> None:
    subjects = [f"s{k}" for k in range(40)]
    train, held = split_subjects(subjects, held_out=0.1, seed=0)
    assert (len(train), len(held)) == (36, 4)
    assert sorted([*train, *held]) == sorted(subjects)
    assert split_subjects(subjects[::-1], held_out=0.1, seed=0) == (train, held)
    assert split_subjects(subjects, held_out=0.1, seed=1) != (train, held)


@pytest.mark.parametrize(("count", "held"), [(2, 0), (3, 0), (4, 2), (5, 2)])
def test_few_subjects_leave_two_to_train_on(count: int, held: int) -> None:
    found = split_subjects([f"s{k}" for k in range(count)], held_out=0.9, seed=0)
    assert (len(found[0]) >= 2, len(found[1]) >= held) == (True, True)


def test_a_list_of_subjects_comes_back_and_faults_are_named(tmp_path: Path) -> None:
    path = tmp_path / "subjects.csv"
    write_subjects(path, ("a", "c"), ("b", "d"))
    assert read_subjects(path, "abcd") == (("a", "c"), ("b", "d"))
    path.write_text("subject,split\na,train\na,train\nx,val\nb,test\n")
    with pytest.raises(ValueError, match="3 bad line") as raised:
        read_subjects(path, "ab")
    assert all(
        word in str(raised.value) for word in ("twice", "no image of subject 'x'", "'test'")
    )
    path.write_text("subject,split\na,train\n")
    with pytest.raises(ValueError, match="at least 2 subjects"):
        read_subjects(path, "ab")
