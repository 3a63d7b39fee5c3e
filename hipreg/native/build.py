"""Compiling the kernels, once for each compiler, processor and version of the sources."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import torch

from hipreg.files import replacing

logger = logging.getLogger(__name__)

SWITCH = "HIPREG_NATIVE"
"""Environment variable; 0 turns the compiled kernels off."""

FLAGS = ("-O3", "-std=gnu11", "-fPIC", "-fno-math-errno", "-fno-trapping-math")
VARIANTS = (("-march=native", "-fopenmp"), ("-fopenmp",), ("-march=native",), ())
"""The fastest first; what a compiler does not know, or cannot link, it is not asked again."""

_PATIENCE_S = 120


class _BuildError(Exception):
    """No kernels for this machine; the message says why."""


@cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels, or None, with one message, where there are none to be had."""
    if os.environ.get(SWITCH, "1") == "0":
        logger.info("%s=0: compiled kernels are off", SWITCH)
        return None
    try:
        return _load()
    except (_BuildError, OSError, subprocess.SubprocessError) as error:
        logger.warning(
            "no compiled kernels (%s): training on this CPU takes about twice as long. "
            "Installing a C compiler (Debian and Ubuntu: apt install gcc libc6-dev) helps.",
            error,
        )
        return None


def _load() -> ctypes.CDLL:
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None or shutil.which(compiler) is None:
        raise _BuildError(f"no C compiler {compiler or 'cc'}")
    reasons = []
    for variant in VARIANTS:
        try:
            return _load_variant(compiler, variant)
        except (_BuildError, OSError) as error:
            reasons.append(str(error))
    raise _BuildError(reasons[0])


def _load_variant(compiler: str, variant: tuple[str, ...]) -> ctypes.CDLL:
    path = _cache_folder() / f"kernels-{_key(compiler, variant)}.so"
    if path.exists():
        try:
            return ctypes.CDLL(str(path))
        except OSError as error:
            logger.info("%s cannot be loaded (%s): compiling it anew", path, error)
    _compile(compiler, variant, path)
    return ctypes.CDLL(str(path))


def _sources() -> list[Path]:
    return sorted(Path(__file__).parent.glob("*.[ch]"))


def _key(compiler: str, variant: tuple[str, ...]) -> str:
    version = subprocess.run(
        [compiler, "--version"], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    ).stdout
    parts = [version, repr((FLAGS, variant)), torch.__version__, _processor()]
    parts += [source.read_text(encoding="utf-8") for source in _sources()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]


def _processor() -> str:
    """What -march=native depends on: home folders are shared between unlike machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.platform() + platform.processor()
    return "".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))


def _cache_folder() -> Path:
    wanted = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hipreg"
    try:
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError:
        return _private_temporary_folder()
    return wanted if os.access(wanted, os.W_OK) else _private_temporary_folder()


@cache
def _private_temporary_folder() -> Path:
    # Not a name that another user could have taken before: code is loaded from here.
    return Path(tempfile.mkdtemp(prefix="hipreg-"))


def _compile(compiler: str, variant: tuple[str, ...], path: Path) -> None:
    """Compile all sources into ``path``, which appears whole or not at all.

    OpenMP is compiled in but not linked: its symbols are found in the library that PyTorch has
    loaded, so that both share one set of threads. A second set would compete for the cores.
    """
    with tempfile.TemporaryDirectory() as folder, replacing(path) as temporary:
        objects = []
        for source in _sources():
            if source.suffix == ".c":
                objects.append(str(Path(folder, source.stem + ".o")))
                _run([compiler, *FLAGS, *variant, "-c", str(source), "-o", objects[-1]])
        _run([compiler, "-shared", *objects, "-lm", "-o", str(temporary)])
        ctypes.CDLL(str(temporary))  # a library with unknown symbols is not to be kept


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise _BuildError(f"{Path(command[0]).name} failed: {last}")
