"""The shape of the house: layers, no cycles, and what may live where."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = (
    "types",
    "files",
    "native",
    "spatial",
    "data",
    "models",
    "losses",
    "training",
    "evaluation",
    "prediction",
    "api",
    "benchmark",
)
STUDY_LAYERS = (
    "schema",
    "space",
    "spaces",
    "modes",
    "storage",
    "trials",
    "plan",
    "training",
    "trainer",
    "work",
    "worker",
    "workers",
    "configuration",
    "agreement",
    "warm",
    "progress",
    "search",
    "launch",
    "overhead",
)
"""What is not among them (reports, ablations) comes after all of them."""
FOLDERS = ("hipreg", "experiments", "studies", "pages", "results", "tests")
LONGEST_FILE = 320


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in files(*FOLDERS)}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(name: str) -> Iterator[str]:
    """Full names of all modules that module ``name`` imports, anywhere in its code."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(filter(None, [*above, base]))
            for alias in node.names:
                submodule = f"{base}.{alias.name}"
                yield submodule if submodule in MODULES else base


def below(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("hipreg.")])
def test_layers_import_leftwards_only(name: str) -> None:
    layer = LAYERS.index(name.split(".")[1])
    for imported in imports(name):
        if below(imported, "hipreg"):
            parts = imported.split(".")
            assert len(parts) > 1, f"{name} imports the package itself"
            assert LAYERS.index(parts[1]) <= layer, f"{name} imports {imported}"


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("studies.")])
def test_layers_of_studies_import_leftwards_only(name: str) -> None:
    order = {layer: number for number, layer in enumerate(STUDY_LAYERS)}
    own = order.get(name.split(".")[1], len(order))
    for imported in imports(name):
        if imported.startswith("studies."):
            assert order.get(imported.split(".")[1], len(order)) <= own, imported


def test_no_module_imports_itself_round_a_corner() -> None:
    graph = {name: {other for other in imports(name) if other in MODULES} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"cycle: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize(
    ("where", "forbidden"),
    [
        ("hipreg", ("sacred", "optuna", "tqdm", *FOLDERS[1:])),
        ("experiments", ("optuna", "studies", "results", "tests")),
        ("studies", ("results", "tests")),
        ("pages", ("hipreg.training", "sacred", "optuna", "experiments", "studies", "results")),
        ("results", ("hipreg.training", "sacred", "optuna", "tests")),
    ],
)
def test_package_imports_nothing_that_is_not_its_own(
    where: str, forbidden: tuple[str, ...]
) -> None:
    for name in MODULES:
        if below(name, where):
            wrong = [imported for imported in imports(name) if below(imported, *forbidden)]
            assert wrong == [], f"{name} imports {wrong}"


@pytest.mark.parametrize("path", files(*FOLDERS[:-1]), ids=relative)
def test_sampling_convention_is_in_one_file(path: Path) -> None:
    if path == ROOT / "hipreg" / "spatial" / "warp.py":
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute):
            assert node.attr != "grid_sample", f"line {node.lineno}"
        if isinstance(node, ast.alias):
            assert node.name != "grid_sample", f"line {node.lineno}"
        if isinstance(node, ast.keyword) and node.arg == "align_corners":
            assert not getattr(node.value, "value", True), f"line {node.lineno}"


@pytest.mark.parametrize("path", files("hipreg"), ids=relative)
def test_library_logs_and_never_prints(path: Path) -> None:
    calls = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]


@pytest.mark.parametrize("path", files(*FOLDERS), ids=relative)
def test_file_holds_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_every_layer_is_there() -> None:
    for layer in LAYERS:
        assert f"hipreg.{layer}" in MODULES
    for layer in STUDY_LAYERS:
        assert f"studies.{layer}" in MODULES
