"""What a run ran on: commit and uncommitted changes, installed versions, machine and device."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

DIFF_LIMIT = 1_000_000
"""Characters of the uncommitted diff that are kept."""

_ROOT = Path(__file__).resolve().parents[1]
_SOURCES = (
    ("hipreg", "*.py"),
    ("hipreg/native", "*.[ch]"),
    ("experiments", "*.py"),
    ("studies", "*.py"),
)
_MOST_UNTRACKED = 100
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class CodeVersion:
    """The state of the working tree.

    Attributes:
        commit: full hash of HEAD; None outside a repository.
        dirty: True if tracked files differ from the commit.
        untracked: files that git neither tracks nor ignores (at most 100).
        diff: the uncommitted changes to tracked files, at most ``DIFF_LIMIT`` characters.
        diff_complete: False where the diff was cut.
    """

    commit: str | None
    dirty: bool
    untracked: tuple[str, ...]
    diff: str
    diff_complete: bool

    def summary(self) -> dict[str, Any]:
        """Everything but the diff itself."""
        return {
            "commit": self.commit,
            "dirty": self.dirty,
            "untracked": list(self.untracked),
            "diff_complete": self.diff_complete,
        }


def code_version(folder: Path) -> CodeVersion:
    """The state of the repository that ``folder`` lies in.

    Without git, or outside a repository, the commit is None and nothing is raised.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return CodeVersion(None, False, (), "", True)
    diff = _git(folder, "diff", "HEAD", "--no-color", "--no-ext-diff") or ""
    # ":/" is the whole tree, from whichever folder of it.
    others = ("ls-files", "--others", "--exclude-standard", "--full-name", ":/")
    untracked = _git(folder, *others) or ""
    return CodeVersion(
        commit=commit.strip(),
        dirty=bool(diff),
        untracked=tuple(untracked.splitlines()[:_MOST_UNTRACKED]),
        diff=diff[:DIFF_LIMIT],
        diff_complete=len(diff) <= DIFF_LIMIT,
    )


def sources() -> dict[str, Path]:
    """Every source file of this checkout that a run may execute, by its path from the root."""
    return {
        path.relative_to(_ROOT).as_posix(): path
        for folder, pattern in _SOURCES
        for path in sorted((_ROOT / folder).rglob(pattern))
    }


def dependencies() -> dict[str, str]:
    """Version of every installed distribution by its name, sorted."""
    found: dict[str, str] = {}
    for dist in distributions():
        # Setuptools puts its private copies on the path; nobody else imports those.
        if dist.name and "_vendor" not in Path(str(dist.locate_file(""))).parts:
            found.setdefault(dist.name, dist.version)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def machine() -> dict[str, Any]:
    """Host, process, CPU and accelerators, read from the system without starting a process."""
    return {
        "hostname": platform.node(),
        "os": [platform.system(), platform.platform()],
        "python_version": platform.python_version(),
        "pid": os.getpid(),
        "cpu": _cpu_model(),
        "cpu_count": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        **_accelerators(),
    }


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")


def _cpu_model() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _accelerators() -> dict[str, Any]:
    # A process that has not imported torch does not train: no reason to load it for the record.
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    cuda = torch.cuda
    gpus = [cuda.get_device_name(i) for i in range(cuda.device_count())]
    return {"threads": torch.get_num_threads(), "cuda": torch.version.cuda, "gpus": gpus}
