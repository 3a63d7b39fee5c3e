"""What an installation of hipreg puts into a user's environment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

from tests.conftest import skip_or_fail

ROOT = Path(__file__).resolve().parents[1]


def test_wheel_holds_hipreg_alone(tmp_path: Path) -> None:
    for tool in ("pip", "setuptools"):
        if find_spec(tool) is None:
            skip_or_fail(f"{tool} is not installed, so no wheel can be built offline")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "runs", "tables")
    for package in ("hipreg", "experiments", "pages", "results"):
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps"]
    command += ["--no-index", "--quiet", "--wheel-dir", str(tmp_path), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"hipreg"}
    modules = {name for name in names if name.endswith(".py")}
    expected = {path.relative_to(ROOT).as_posix() for path in (ROOT / "hipreg").rglob("*.py")}
    assert modules == expected
    assert "hipreg/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
