"""Where data and caches lie."""

from __future__ import annotations

import os
from pathlib import Path


def project_root() -> Path:
    """The checkout that hipreg is imported from; the current folder for an installed one."""
    parent = Path(__file__).resolve().parents[2]
    return parent if (parent / "pyproject.toml").is_file() else Path.cwd()


def default_cache_dir() -> Path:
    """The folder of prepared data: the variable HIPREG_CACHE, else ``data/cache``."""
    chosen = os.environ.get("HIPREG_CACHE", "")
    return Path(chosen) if chosen else project_root() / "data" / "cache"
