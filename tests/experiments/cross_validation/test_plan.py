"""What a cross-validation consists of, before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from experiments import cases as registration
from experiments.configuration import resolve
from experiments.cross_validation.campaign import Campaign, agreed, campaign_of
from experiments.cross_validation.plan import PROGRAMS, REGISTER, SEGMENT, Plan, plan_of
from experiments.cross_validation.training import command, refuse_other_guide
from experiments.cross_validation.variants import WEIGHTS, Variant, variants
from experiments.errors import PlainError
from experiments.records import RunRecord
from experiments.run_folder import write_json
from experiments.segmentation import cases as segmentation
from hipreg.data import splits_for
from hipreg.prediction.velocity import LABELS

WORDS = ("debug", "dataset=synthetic_small", "crop_size=32", "threads=1", "max_cases=None")
WIDE, LONG = "wide=widths=[32,16]", "long=epochs=3"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    return campaign_of(plan_of(WORDS, 3, [WIDE], [LONG]), tmp_path_factory.mktemp("out"))


def run_record(folder: Path, **config: object) -> RunRecord:
    record = RunRecord(7, folder, {})
    record.__dict__["config"] = config
    return record


def test_no_network_is_trained_on_a_case_of_the_fold_that_it_is_measured_on(
    campaign: Campaign,
) -> None:
    load = {SEGMENT: segmentation.load_cases, REGISTER: registration.load_cases}
    measured = []
    for fold in campaign.folds:
        apart = {case for pair in fold.pairs for case in pair}
        measured += sorted(apart)
        for stage in campaign.plan.stages(fold.number):
            config = resolve(stage.words, PROGRAMS[stage.kind]).config
            seen = set(load[stage.kind](config, torch.device("cpu")).fit.cases)  # type: ignore[operator]
            assert not apart & seen, stage.name
            assert len(apart | seen) == len(splits_for(fold.cohort.description).train)
    # Each training case is measured in one fold, and no validation case in any.
    assert sorted(measured) == list(splits_for(campaign.folds[0].cohort.description).train)


def test_each_registration_is_guided_by_a_segmentation_of_its_own_fold(
    campaign: Campaign,
) -> None:
    for fold in campaign.folds:
        stages = list(campaign.plan.stages(fold.number))
        of_fold = {stage.name for stage in stages if stage.kind == SEGMENT}
        guides = {stage.row: stage.guide for stage in stages if stage.kind == REGISTER}
        assert set(guides.values()) == of_fold
        assert guides["segment wide"] == f"segment wide, {fold.name}"
        assert guides["debug"] == guides["register long"] == f"segment debug, {fold.name}"


def test_every_row_changes_one_thing_of_the_reference(campaign: Campaign) -> None:
    reference, *others = campaign.plan.rows()
    assert (reference.name, reference.register, reference.variant) == ("debug", "debug", Variant())
    for row in others:
        usual = reference.variant.values()
        changed = [name for name, value in row.variant.values().items() if value != usual[name]]
        assert len(changed) + (row.register != "debug") == 1, row.name
    files = [row.file for row in campaign.plan.rows()]
    assert len(set(files)) == len(files)


def test_table_of_variants_holds_what_was_chosen() -> None:
    found = variants()
    assert {found[f"steps {n}"].steps for n in (0, 20)} | {Variant().steps} == {0, 20, 40}
    for name, values in WEIGHTS.items():
        there = {getattr(variant.goal, name) for variant in [*found.values(), Variant()]}
        assert there == {*values, getattr(LABELS, name)}
    assert Variant() not in found.values()
    assert not found["not shifted"].shifted
    assert found["zero start"].start == "zero"
    assert found["both directions"].goal.both_directions


def test_a_training_is_begun_with_its_words_and_gone_on_with_by_its_number(
    campaign: Campaign, tmp_path: Path
) -> None:
    *_, stage = campaign.plan.stages(1)
    guide = RunRecord(4, tmp_path, {})
    begun = command(stage, None, guide)
    assert begun[1].endswith("experiments/train.py")
    assert {"epochs=3", "fold=1", "folds=3", "segmenter=4", "instance_steps=0"} <= set(begun)
    assert command(stage, run_record(tmp_path), guide)[2:] == ["resume", "7"]


def test_registration_guided_by_another_run_is_refused(tmp_path: Path) -> None:
    found, guide = run_record(tmp_path, segmenter=3), RunRecord(3, tmp_path, {})
    refuse_other_guide(found, guide)
    with pytest.raises(PlainError, match=r"run 7 was guided by run 3, .* run 4 now; delete"):
        refuse_other_guide(found, RunRecord(4, tmp_path, {}))


def test_settings_of_earlier_calls_must_be_the_same_and_may_be_added_to(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    first = {**plan_of(WORDS, 3, [WIDE], []).document(), "data": {"fingerprint": "a"}}
    assert agreed(path, first) == first
    write_json(path, first)
    more = {**plan_of(WORDS, 3, [], [LONG]).document(), "data": {"fingerprint": "a"}}
    assert agreed(path, more) == {**first, "register": more["register"]}
    for other, named in (
        (plan_of(WORDS, 2, [], []), "folds 3 there, 2 asked for"),
        (plan_of([*WORDS, "seed=1"], 3, [], []), "'seed=1'"),
        (plan_of(WORDS, 3, ["wide=widths=[8,8]"], []), "segment.wide"),
        (plan_of(["best", *WORDS[1:]], 3, [], []), "recipe 'debug' there, 'best' asked for"),
    ):
        with pytest.raises(PlainError, match="begun with other settings") as error:
            agreed(path, {**other.document(), "data": {"fingerprint": "a"}})
        assert named in str(error.value)
    with pytest.raises(PlainError, match=r"data\.fingerprint 'a' there, 'b' asked for"):
        agreed(path, {**first, "data": {"fingerprint": "b"}})
    path.write_text("{")
    with pytest.raises(PlainError, match=r"plan\.json cannot be read"):
        agreed(path, first)


@pytest.mark.parametrize(
    ("words", "options", "expected"),
    [
        ([], {}, "after `with` comes a recipe, best or quick or debug"),
        (["fast"], {}, "got fast"),
        (["debug", "fold=1"], {}, "with fold=1: fold is set by the cross-validation itself"),
        (["debug"], {"segments": ["wide"]}, 'takes NAME="ENTRIES"'),
        (["debug"], {"segments": ["a/b=x=1"]}, "got 'a/b=x=1'"),
        (["debug"], {"segments": ["debug=epochs=3"]}, "there is a 'debug' already"),
        (["debug"], {"registers": ["a=epochs=3", "a=epochs=4"]}, "there is a 'a' already"),
        (["debug"], {"registers": ["a="]}, "it changes nothing of debug"),
        (["debug"], {"registers": ["a=segmenter=3"]}, "segmenter is set by"),
        (["debug"], {"folds": 1}, "--folds is at least 2, got 1"),
    ],
)
def test_words_that_are_not_understood_are_said(
    words: list[str], options: dict[str, object], expected: str
) -> None:
    given = {"folds": 3, "segments": [], "registers": [], **options}
    with pytest.raises(PlainError) as error:
        plan_of(words, **given)  # type: ignore[arg-type]
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (Plan("debug", 3, ("widths=[8,8]", *WORDS[1:])), "train.py has no entry widths"),
        (Plan("debug", 3, WORDS[1:], {"few": ("max_cases=6",)}), "max_cases must be the same"),
        (Plan("debug", 3, WORDS[1:], {}, {"a": ("model=vnet",)}), "must be velocity"),
        (Plan("debug", 12, WORDS[1:]), "pairs of a fold take at least 2 cases"),
        (Plan("debug", 13, WORDS[1:]), "12 cases are divided into 2 to 12 folds"),
    ],
)
def test_impossible_trainings_are_said_before_any_begins(
    plan: Plan, expected: str, tmp_path: Path
) -> None:
    with pytest.raises(PlainError) as error:
        campaign_of(plan, tmp_path / "out")
    assert expected in str(error.value)
    assert not (tmp_path / "out").exists()


def test_dry_run_tells_every_training_and_row_and_how_far_they_are(campaign: Campaign) -> None:
    told = campaign.told().splitlines()
    assert "  register segment wide, fold 2 of 3, 2 epochs: to do" in told
    assert "  register long, fold 0 of 3, 3 epochs: to do" in told
    assert "  lcc 1 (lcc 1.0 for 0.0): 0 done" in told
    assert "  register long (networks of its own): 0 done" in told
    # Two segmentations of 2 epochs, registrations of 2, 2 and 3; 12 cases in 15 rows.
    rows = len(campaign.plan.rows())
    assert told[-1] == f"To do: {3 * (2 + 2 + 2 + 2 + 3)} epochs, {12 * rows} registrations"
