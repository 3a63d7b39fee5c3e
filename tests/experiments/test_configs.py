"""The configuration's entries and named configurations."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from sacred import Experiment

from experiments import configs, families, settings
from hipreg.data import describe, synthetic_cohort
from hipreg.losses import TERMS
from hipreg.models import Architecture
from hipreg.training import Recipe


def configuration(*named: str, **updates: Any) -> dict[str, Any]:
    """The configuration of a run that is made but not started."""
    experiment = Experiment("configs", save_git_info=False)
    configs.add_configs(experiment)
    experiment.main(lambda: None)
    run = experiment._create_run(named_configs=list(named), config_updates=updates)
    return dict(run.config)


def test_the_base_is_the_published_baseline() -> None:
    config = configuration()
    assert settings.architecture(config) == Architecture()
    assert settings.recipe(config) == Recipe()
    objective = settings.objective(config, (1, 2))
    assert objective.weights == {"lcc": 1.0, "dice": 1.0, "l1": 0.1}
    assert objective.lcc_window == 9
    assert config["batch_size"] == 8
    assert config["name"] == "baseline"


@pytest.mark.parametrize(
    ("named", "name"),
    [
        (("sym",), "sym"),
        (("sym", "pretrain"), "sym pretrain"),
        (("pretrain", "sym"), "sym pretrain"),
        (("sym", "pretrain", "merge"), "sym pretrain merge"),
        (("quick",), "quick"),
        (("quick", "no_dice"), "quick no_dice"),
        (("no_deep_supervision",), "no_deep_supervision"),
        (("no_augmentation", "no_regularisation"), "no_regularisation no_augmentation"),
        (("mse",), "no_lcc mse"),
        (("l2",), "l2"),
        (("velocity",), "velocity"),
        (("velocity", "no_dice"), "velocity no_dice"),
        (("guided",), "guided"),
    ],
)
def test_a_run_is_named_by_its_switches(named: tuple[str, ...], name: str) -> None:
    assert configuration(*named, dataset="synthetic")["name"] == name


def test_every_named_configuration_changes_only_entries_of_the_base() -> None:
    base = configuration()
    for name, (purpose, entries) in configs.NAMED.items():
        assert purpose, name
        assert set(entries) <= set(base), name
        configuration(name)


def test_the_command_line_beats_named_configurations() -> None:
    assert configuration("quick", epochs=3)["epochs"] == 3


def test_switches_of_the_velocity_family_are_words_of_a_row() -> None:
    for entries, name in (
        ({"model": "velocity"}, "velocity"),
        ({"model": "velocity", "segmenter": "3"}, "velocity guided"),
        ({"instance_steps": 40}, "instance"),
    ):
        assert configuration(dataset="synthetic", **entries)["name"] == name
    assert configuration("guided", instance_steps=40, segmenter=3)["name"] == "guided instance"
    directional = configuration("guided", antisymmetric=False, segmenter=3, weight_lcc=0.0)
    assert directional["name"] == "guided directional no_lcc"
    assert configuration("best")["name"] == "best"


def explained(entries: Callable[..., None]) -> None:
    """Check that each entry of a configuration function has a comment."""
    source = inspect.getsource(entries).splitlines()
    function = ast.parse("\n".join(source)).body[0]
    assert isinstance(function, ast.FunctionDef)
    for statement in function.body:
        line = source[statement.end_lineno - 1] if statement.end_lineno else ""
        assert "  # " in line, line


def test_every_entry_is_explained_in_one_line() -> None:
    explained(configs.base)
    explained(families.families)


def test_every_loss_term_has_a_weight() -> None:
    assert set(settings.LOSS_TERMS) == set(TERMS)
    assert {f"weight_{term}" for term in TERMS} <= set(configuration())


def test_synthetic_pairs_stand_in_only_where_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HIPREG_DATA", str(tmp_path))
    assert configuration("quick")["dataset"] == "synthetic"
    assert configuration()["dataset"] == "hippocampus"
    assert configuration("quick", dataset="hippocampus")["dataset"] == "hippocampus"


@pytest.mark.parametrize(
    ("wanted", "size"),
    [(None, (64, 64, 64)), (32, (32, 32, 32)), ([48, 64, 32], (48, 64, 32))],
)
def test_crop_sizes_by_all_their_forms(wanted: Any, size: tuple[int, ...]) -> None:
    cohort = synthetic_cohort(describe("synthetic"), n=2, seed=0)
    assert settings.crop({"crop_size": wanted}, cohort, "crop_size", multiple=16) == size


@pytest.mark.parametrize("wanted", ["wide", [64, 64], 40, 128, 0])
def test_impossible_crop_sizes_are_refused(wanted: Any) -> None:
    cohort = synthetic_cohort(describe("synthetic"), n=2, seed=0)
    with pytest.raises(ValueError, match="crop_size"):
        settings.crop({"crop_size": wanted}, cohort, "crop_size", multiple=16)


@pytest.mark.parametrize("name", ["gpu", "cuda:7"])
def test_absent_devices_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="device"):
        settings.device({"device": name, "threads": None})
