"""Splits and pairs as small CSV files: which case trains, selects, validates or tests."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hipreg.data.description import DatasetDescription
from hipreg.data.locations import project_root
from hipreg.data.pairs import CasePair, check_pairs

SUBSETS = {"train": ("fit", "selection"), "val": ("",), "test": ("",)}
"""Values of the column subset that each split takes."""


@dataclass(frozen=True, slots=True)
class Splits:
    """Case numbers by purpose, each sorted.

    Attributes:
        train: all training cases, ``fit`` and ``selection`` together.
        val: validation cases; never used to choose anything.
        test: test cases, whose labels may be unknown.
        fit: the training cases that weights are fitted to.
        selection: the training cases that choose the best checkpoint.
    """

    train: tuple[int, ...]
    val: tuple[int, ...]
    test: tuple[int, ...]
    fit: tuple[int, ...]
    selection: tuple[int, ...]


def spread_selection(cases: Sequence[int], count: int) -> tuple[int, ...]:
    """Takes ``count`` cases evenly spread over the sorted list, for selection.

    Raises:
        ValueError: ``count`` is negative or more than there are cases.
    """
    ordered = sorted(cases)
    if not 0 <= count <= len(ordered):
        raise ValueError(f"cannot select {count} of {len(ordered)} cases")
    return tuple(ordered[(2 * i + 1) * len(ordered) // (2 * count)] for i in range(count))


def make_splits(
    train: Iterable[int], val: Iterable[int], test: Iterable[int], n_selection: int
) -> Splits:
    """Splits with ``n_selection`` of the training cases set apart for selection."""
    ordered = tuple(sorted(train))
    selection = spread_selection(ordered, n_selection)
    fit = tuple(case for case in ordered if case not in set(selection))
    return Splits(ordered, tuple(sorted(val)), tuple(sorted(test)), fit, selection)


def read_splits(folder: Path) -> Splits:
    """Reads ``cases.csv`` (columns case, split, subset) of a splits folder.

    Raises:
        ValueError: the file is missing or malformed, or a case occurs twice; all bad lines
            are listed.
    """
    path = folder / "cases.csv"
    found: dict[str, list[int]] = {"train": [], "val": [], "test": [], "fit": [], "selection": []}
    seen: dict[int, int] = {}
    faults = []
    for line, row in _read_rows(path, ("case", "split", "subset")):
        split, subset = row["split"], row["subset"]
        case = _whole(row["case"])
        if case is None:
            faults.append(f"line {line}: case must be a whole number, got {row['case']!r}")
        elif case in seen:
            faults.append(f"line {line}: case {case} is already on line {seen[case]}")
        elif subset not in SUBSETS.get(split, ()):
            faults.append(
                f"line {line}: case {case} has split {split!r} and subset {subset!r}; "
                "allowed are train with fit or selection, val and test without subset"
            )
        else:
            seen[case] = line
            found[split].append(case)
            if subset:
                found[subset].append(case)
    _raise_faults(path, faults)
    return Splits(**{name: tuple(sorted(cases)) for name, cases in found.items()})


def read_pairs(path: Path, known: Iterable[int] | None = None) -> list[CasePair]:
    """Reads a list of pairs (columns fixed, moving).

    Args:
        path: the CSV file.
        known: case numbers that exist; None: not checked here.

    Raises:
        ValueError: the file is missing or malformed, or a pair names a case that is not among
            ``known``; all bad lines or pairs are listed.
    """
    pairs, faults = [], []
    for line, row in _read_rows(path, ("fixed", "moving")):
        fixed, moving = _whole(row["fixed"]), _whole(row["moving"])
        if fixed is None or moving is None:
            faults.append(
                f"line {line}: fixed and moving must be whole numbers, "
                f"got {row['fixed']!r} and {row['moving']!r}"
            )
        else:
            pairs.append(CasePair(fixed, moving))
    _raise_faults(path, faults)
    if known is not None:
        check_pairs(pairs, known, str(path))
    return pairs


def write_splits(splits: Splits, description: DatasetDescription, folder: Path) -> None:
    """Writes ``cases.csv`` and the pair files of the description's rule."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(case, "train", "fit") for case in splits.fit]
    rows += [(case, "train", "selection") for case in splits.selection]
    rows += [(case, "val", "") for case in splits.val]
    rows += [(case, "test", "") for case in splits.test]
    _write_rows(folder / "cases.csv", ("case", "split", "subset"), sorted(rows))
    groups = {"val": splits.val, "test": splits.test, "selection": splits.selection}
    for name, cases in groups.items():
        pairs = description.pair_rule(cases)
        _write_rows(folder / f"pairs_{name}.csv", ("fixed", "moving"), pairs)


def split_subjects(
    subjects: Sequence[str], *, held_out: float, seed: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Training and held-out subjects, each sorted; at least two of each where there are four.

    Args:
        subjects: distinct names.
        held_out: share of them that is held out.
        seed: of the choice.

    Raises:
        ValueError: the share does not lie between 0 and 1, or there are fewer than two subjects.
    """
    if not 0 < held_out < 1:
        raise ValueError(f"the held-out share lies between 0 and 1, got {held_out}")
    ordered = sorted(subjects)
    if len(ordered) < 2:
        raise ValueError(f"pairs need at least 2 subjects, got {len(ordered)}")
    count = (
        0 if len(ordered) < 4 else min(max(2, round(held_out * len(ordered))), len(ordered) - 2)
    )
    order = np.random.default_rng(seed).permutation(len(ordered))
    held = {ordered[k] for k in order[:count]}
    return tuple(s for s in ordered if s not in held), tuple(sorted(held))


def read_subjects(path: Path, known: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Reads training and held-out subjects (columns subject and split, which is train or val).

    Args:
        path: the CSV file, as :func:`write_subjects` writes it.
        known: the subjects that there are.

    Raises:
        ValueError: the file is missing or malformed, names a subject twice or one that is not
            there, or leaves fewer than two training subjects; all bad lines are listed.
    """
    found: dict[str, list[str]] = {"train": [], "val": []}
    there, faults = set(known), []
    for line, row in _read_rows(path, ("subject", "split")):
        subject, split = row["subject"], row["split"]
        if split not in found:
            faults.append(f"line {line}: split must be train or val, got {split!r}")
        elif subject in found["train"] + found["val"]:
            faults.append(f"line {line}: subject {subject} occurs twice")
        elif subject not in there:
            faults.append(f"line {line}: there is no image of subject {subject!r}")
        else:
            found[split].append(subject)
    if not faults and len(found["train"]) < 2:
        faults.append(f"training needs at least 2 subjects, got {len(found['train'])}")
    if not faults and len(found["val"]) == 1:
        faults.append("pairs need 2 held-out subjects or none (split val), got 1")
    _raise_faults(path, faults)
    return tuple(sorted(found["train"])), tuple(sorted(found["val"]))


def write_subjects(path: Path, train: Sequence[str], val: Sequence[str]) -> None:
    """Writes which subjects are trained on and which are held out."""
    rows = sorted([(subject, "train") for subject in train] + [(s, "val") for s in val])
    _write_rows(path, ("subject", "split"), rows)


def splits_for(description: DatasetDescription, splits_dir: Path | None = None) -> Splits:
    """The splits of a data set: generated for a synthetic one, else read from their file.

    Args:
        description: the data set.
        splits_dir: folder with one folder of splits per data set; None: the checkout's
            ``data/splits``.

    Raises:
        ValueError: the splits file is missing or malformed.
    """
    source = description.synthetic
    if source is not None:
        train = range(1, source.train + 1)
        val = range(source.train + 1, source.train + source.val + 1)
        return make_splits(train, val, (), source.selection)
    return read_splits(_splits_folder(description, splits_dir))


def pairs_for(
    description: DatasetDescription, split: str, splits_dir: Path | None = None
) -> list[CasePair]:
    """The evaluation pairs of a split, ``selection``, ``val`` or ``test``.

    Generated for a synthetic data set, else read from ``pairs_<split>.csv``.

    Raises:
        ValueError: there is no such split, or its file is missing or malformed, or names a
            case that is not in the split.
    """
    splits = splits_for(description, splits_dir)
    groups = {"selection": splits.selection, "val": splits.val, "test": splits.test}
    if split not in groups:
        raise ValueError(f"pairs exist for {', '.join(groups)}; got {split!r}")
    if description.synthetic is not None:
        return description.pair_rule(groups[split])
    path = _splits_folder(description, splits_dir) / f"pairs_{split}.csv"
    return read_pairs(path, known=groups[split])


def _splits_folder(description: DatasetDescription, splits_dir: Path | None) -> Path:
    base = splits_dir if splits_dir is not None else project_root() / "data" / "splits"
    return base / description.name


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _read_rows(path: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    """Line numbers and stripped fields; a wrong header is an error, as is a missing file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); expected a CSV file") from error
    reader = csv.DictReader(text.splitlines())
    if tuple(reader.fieldnames or ()) != columns:
        raise ValueError(f"{path}: the columns must be {columns}, got {reader.fieldnames}")
    return [
        (reader.line_num, {name: (row[name] or "").strip() for name in columns}) for row in reader
    ]


def _write_rows(path: Path, columns: tuple[str, ...], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _raise_faults(path: Path, faults: list[str]) -> None:
    if faults:
        raise ValueError(f"{path}: {len(faults)} bad line(s)\n  " + "\n  ".join(faults))
