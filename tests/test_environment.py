"""The ways to install hipreg agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
# What conda-forge calls them; matplotlib-base is matplotlib without a window system.
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
CONDA_TOOLS = {"python", "pip", "git", "make"}


def project() -> dict[str, Any]:
    loaded: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return loaded


def environment() -> tuple[dict[str, SpecifierSet], list[str]]:
    """Conda's requirements by name, and pip's lines."""
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in entries if isinstance(entry, dict)]
    parsed = [Requirement(entry) for entry in entries if isinstance(entry, str)]
    return {requirement.name: requirement.specifier for requirement in parsed}, pip


def test_conda_gets_the_same_requirements() -> None:
    conda, _ = environment()
    wanted = [Requirement(line) for line in project()["dependencies"]]
    assert {name: spec for name, spec in conda.items() if name not in CONDA_TOOLS} == {
        CONDA_NAMES.get(requirement.name, requirement.name): requirement.specifier
        for requirement in wanted
    }
    assert conda["python"] == SpecifierSet(project()["requires-python"])


def test_pip_inside_conda_gets_the_same_extras() -> None:
    _, pip = environment()
    extras = project()["optional-dependencies"]
    assert pip[0] == "--editable ."
    assert sorted(pip[1:]) == sorted({*extras["experiments"], *extras["dev"]})


def test_pinned_versions_satisfy_every_requirement() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    extras = project()["optional-dependencies"]
    for line in [
        *project()["dependencies"],
        *(line for extra in extras.values() for line in extra),
    ]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(Version(pins[requirement.name])), line


def test_pins_are_exact_public_versions_in_order() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins == sorted(pins)
    # "+cpu" and its like exist on one index only.
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin)] == []


def test_citation_and_package_have_one_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project()["version"]
    assert citation["license"] == project()["license"]
