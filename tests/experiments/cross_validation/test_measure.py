"""What is measured of a fold: every pair in every way, once, by networks that have not seen it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.cross_validation.measure import PAIRS, Fold, measure_fold, unseen_model
from experiments.cross_validation.plan import Row, plan_of
from experiments.cross_validation.progress import Kind, Progress
from experiments.cross_validation.variants import ZERO, AtRest, Variant, variants
from experiments.errors import PlainError
from experiments.peers.record import read_record
from experiments.prediction import predictions
from experiments.records import RunRecord
from hipreg.data import CasePair, load_cohort
from hipreg.evaluation import LabelMetrics
from hipreg.prediction import predict
from tests.experiments.cross_validation.made import moving_net, trained
from tests.helpers import small_pair

CASES = (1, 4, 7, 10)
ABOUT = {"commands": ["a command"]}
KEPT = ("debug", "steps 0", "not shifted", "zero start", "unregistered")
ROWS = [row for row in plan_of(["debug"], 3, [], []).rows() if row.name in KEPT]


def fold_in(folder: Path) -> Fold:
    return Fold(0, "fold 0 of 3", CASES, load_cohort("synthetic_small"), folder)


def measured(fold: Fold, networks: Mapping[str, RunRecord]) -> int:
    """Measure what is not done; returns how much that was."""
    with Progress({PAIRS: Kind(100, 1.0)}) as bar:
        measure_fold(fold, few(ROWS), networks, bar, ABOUT)
        return bar.kinds[PAIRS].done


def few(rows: list[Row]) -> list[Row]:
    """The same rows, of at most three steps."""
    return [
        replace(row, variant=replace(row.variant, steps=min(row.variant.steps, 3))) for row in rows
    ]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return trained(tmp_path_factory.mktemp("runs"), 1, CASES)


@pytest.fixture(scope="module")
def fold(tmp_path_factory: pytest.TempPathFactory, network: RunRecord) -> Fold:
    """A fold that was measured, with what a kill leaves in the midst of it put in between."""
    found = fold_in(tmp_path_factory.mktemp("fold_0"))
    assert measured(found, {"debug": network}) == len(ROWS) * len(CASES)
    table = found.folder / "zero_start.csv"
    whole = table.read_text()
    table.write_text("".join(whole.splitlines(keepends=True)[:-2]))
    before = {path.name: path.read_bytes() for path in found.folder.glob("*.csv")}
    assert measured(found, {"debug": network}) == 1
    assert table.read_text() == whole
    assert all(
        (found.folder / name).read_bytes() == text
        for name, text in before.items()
        if name != table.name
    )
    return found


def rows_of(fold: Fold, name: str) -> list[LabelMetrics]:
    return read_record(fold.folder / f"{name}.json").rows


def test_every_row_is_of_the_same_pairs_of_the_folds_own_cases(fold: Fold) -> None:
    assert fold.pairs == [CasePair(1, 10), CasePair(4, 7), CasePair(7, 4), CasePair(10, 1)]
    for row in ROWS:
        record = read_record(fold.folder / f"{row.file}.json")
        assert record.done == set(fold.pairs)
        assert all(wall >= 0 and cpu >= 0 for wall, cpu in record.seconds.values())
        assert record.about["data"]["split"] == "fold 0 of 3"
        assert record.about["commands"] == ["a command"]


def test_rows_differ_by_what_they_change(fold: Fold) -> None:
    found = {
        row.file: tuple((one.dice, one.sdlogj) for one in rows_of(fold, row.file)) for row in ROWS
    }
    assert len(set(found.values())) == len(ROWS)
    assert all(one.sdlogj == 0 for one in rows_of(fold, "unregistered"))
    settings = read_record(fold.folder / "not_shifted.json").about["settings"]
    assert (settings["shifted"], settings["steps"]) == (False, 3)


def test_another_network_is_not_mixed_with_what_was_measured(fold: Fold, tmp_path: Path) -> None:
    for path in fold.folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    other = trained(tmp_path / "runs", 2, CASES)
    with pytest.raises(PlainError, match=r"debug\.json is of other pairs' .*settings\.weights"):
        measured(fold_in(tmp_path), {"debug": other})


def test_network_that_has_seen_a_case_of_the_fold_is_refused(tmp_path: Path) -> None:
    seen = trained(tmp_path / "runs", 3, (1, 4, 7))
    with pytest.raises(PlainError, match=r"run 3 .*best\.pt\) was trained on 1 of the 4 cases"):
        unseen_model(seen, CASES)
    with pytest.raises(PlainError, match=r"\(case 10, for one\)"):
        measured(fold_in(tmp_path / "pairs"), {"debug": seen})
    assert not (tmp_path / "pairs").exists()


def test_labels_of_the_pair_are_for_measuring_alone(network: RunRecord) -> None:
    cohort = load_cohort("synthetic_small")
    shuffled = replace(cohort, labels=cohort.labels[::-1].copy())
    model = unseen_model(network, CASES)
    for variant in (Variant(steps=3), Variant(steps=3, start=ZERO)):
        found = [
            next(predictions(variant.of(model), data, [CasePair(1, 10)], variant.refinement, CPU))
            for data in (cohort, shuffled)
        ]
        np.testing.assert_array_equal(found[0][1], found[1][1])
        assert np.abs(found[0][1]).max() > 0


CPU = torch.device("cpu")


def test_network_at_rest_moves_nothing_and_is_guided_all_the_same() -> None:
    net, pair = moving_net(), small_pair()
    rest = AtRest(net)
    assert net(pair.moving, pair.fixed).displacement.any()
    assert not rest(pair.moving, pair.fixed).displacement.any()
    assert not predict(rest, pair.moving, pair.fixed).any()
    assert len(rest.both_directions(pair.moving, pair.fixed).displacement) == 2 * len(pair.moving)
    assert rest.size_multiple == net.size_multiple
    given = (made.guidance(pair.moving, pair.fixed) for made in (rest, net))
    assert torch.equal(*given)  # type: ignore[arg-type]
    optimised = predict(rest, pair.moving, pair.fixed, Variant(steps=2).refinement)
    assert optimised.any()


def test_variants_share_a_network_without_disturbing_each_other(network: RunRecord) -> None:
    model = unseen_model(network, CASES)
    for variant in (*variants().values(), Variant()):
        used = variant.of(model)
        net = used.net.net if isinstance(used.net, AtRest) else used.net
        assert net is model.net
        assert net.shifted == variant.shifted  # type: ignore[union-attr]
