"""The lab's MongoDB and Omniboard, as far as they can be checked without Docker."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.helpers import skip_or_fail

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "compose.yml"
PAGE = ROOT / "experiments" / "omniboard" / "OMNIBOARD.md"
NODE = ROOT / "experiments" / "omniboard" / "node"


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(yaml.safe_load(FILE.read_text())["services"])


def test_file_follows_the_compose_specification(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("check-jsonschema")
    if not program.exists():
        skip_or_fail("check-jsonschema is not installed")
    spoilt = tmp_path / "compose.yml"
    spoilt.write_text(FILE.read_text().replace("restart:", "restarts:"))
    for path, faults in ((FILE, 0), (spoilt, 1)):
        done = subprocess.run(
            [str(program), "--builtin-schema", "vendor.compose-spec", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == faults, done.stdout + done.stderr


def test_every_image_and_package_is_pinned(services: dict[str, Any]) -> None:
    images = [one["image"] for one in services.values() if "image" in one]
    images += re.findall(r"(?m)^FROM (\S+)", (NODE / "Dockerfile").read_text())
    assert len(images) == len(services)
    assert [one for one in images if not re.fullmatch(r"[a-z]+:\d+\.\d+\.\d+[a-z-]*", one)] == []
    assert "npm ci --ignore-scripts" in (NODE / "Dockerfile").read_text()


def test_nothing_listens_beyond_loopback(services: dict[str, Any]) -> None:
    assert {port for one in services.values() for port in one["ports"]} == {
        "127.0.0.1:27017:27017",
        "127.0.0.1:9000:9000",
    }
    assert not [name for name, one in services.items() if "network_mode" in one]


def test_both_ask_for_a_login_and_no_password_has_a_default(services: dict[str, Any]) -> None:
    mongo, omniboard = services["mongo"]["environment"], services["omniboard"]["environment"]
    assert mongo["MONGO_INITDB_ROOT_USERNAME"]
    assert mongo["MONGO_INITDB_ROOT_PASSWORD"].startswith("${HIPREG_LAB_ROOT_PASSWORD:?")
    assert "${HIPREG_LAB_PASSWORD" in omniboard["OMNIBOARD_LOGIN"]
    uses = re.findall(r"\$\{(HIPREG_LAB_\w*PASSWORD)([^}]*)\}", FILE.read_text())
    assert len(uses) == 4
    assert {rest[:2] for _, rest in uses} == {":?"}


def test_page_sets_every_variable_that_is_demanded_and_git_ignores_their_file() -> None:
    demanded = set(re.findall(r"\$\{(\w+):\?", FILE.read_text()))
    said = set(re.findall(r'echo "(\w+)=', PAGE.read_text()))
    assert demanded == said
    assert "/.env" in (ROOT / ".gitignore").read_text().split()


def test_what_is_mounted_and_built_is_there_and_reads_what_it_is_given(
    services: dict[str, Any],
) -> None:
    (script,) = (one.split(":")[0] for one in services["mongo"]["volumes"] if one.startswith("./"))
    used = set(re.findall(r"process\.env\.(\w+)", (ROOT / script).read_text()))
    assert used <= set(services["mongo"]["environment"])
    used = set(re.findall(r"process\.env\.(\w+)", (NODE / "launch.js").read_text()))
    # Omniboard itself reads the address of the database.
    assert set(services["omniboard"]["environment"]) <= used | {"MONGO_URI"}
    assert (ROOT / services["omniboard"]["build"]).resolve() == NODE
    copied = re.findall(r"(?m)^COPY (.+) \./$", (NODE / "Dockerfile").read_text())
    assert [name for line in copied for name in line.split() if not (NODE / name).exists()] == []
    node = shutil.which("node")
    if node is None:
        skip_or_fail("Node.js is not installed")
    for path in (ROOT / script, NODE / "launch.js"):
        subprocess.run([str(node), "--check", str(path)], check=True)
