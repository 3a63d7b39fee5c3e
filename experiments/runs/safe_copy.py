"""Copies a run's folder to hand it on: without links, half-written files and credentials."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.redaction import redact, secrets_of

_TEXT = frozenset({".json", ".jsonl", ".txt", ".diff", ".csv", ".md", ".log", ".tex", ".yaml"})
_CHUNK = 1 << 20
_OVERLAP = 4096
# In bytes that are no text, "a:b@" is chance; after the scheme of a database it is a login.
_LOGIN = re.compile(
    rb"(?:mongodb(?:\+srv)?|postgres(?:ql)?|mysql|redis|https?)://[^\s/@:\x00]*:[^\s/@\x00]+@"
)
_SECRET_VARIABLES = re.compile(r"(?:PASSWORD|PASSWD|TOKEN|SECRET|API_?KEY)", re.IGNORECASE)
_SHORTEST = 8


@dataclass(frozen=True, slots=True)
class Copied:
    """One file of a run.

    Attributes:
        name: below the folder of all runs, as in ``7/run.json``.
        left_out: why it was not copied; empty where it was.
    """

    name: str
    left_out: str = ""


def copy_run(source: Path, target: Path) -> list[Copied]:
    """Copy a run's folder.

    Text loses the credentials of every URL and every secret of this process's environment; a
    binary file that holds one is left out whole: it could not be changed and still be read.

    Args:
        source: the run's folder.
        target: a folder that does not exist yet.

    Returns:
        Every file that was found, by name.
    """
    secrets = known_secrets()
    target.mkdir(parents=True)
    return [_copy(path, source, target, secrets) for path in _files(source)]


def known_secrets() -> tuple[str, ...]:
    """The secrets of this process's environment: the database's, tokens and passwords."""
    found = set(secrets_of(os.environ.get("HIPREG_MONGO_URL", "")))
    found |= {
        value
        for name, value in os.environ.items()
        if _SECRET_VARIABLES.search(name) and len(value) >= _SHORTEST
    }
    return tuple(sorted(found, key=len, reverse=True))


def _files(source: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        linked = [name for name in folders if (Path(folder) / name).is_symlink()]
        # Names with a dot in front are of files that are just being written.
        yield from (
            Path(folder) / name for name in sorted([*names, *linked]) if not name.startswith(".")
        )


def _copy(path: Path, source: Path, target: Path, secrets: tuple[str, ...]) -> Copied:
    inside = path.relative_to(source)
    name = str(Path(source.name) / inside)
    copy = target / inside
    try:
        if path.is_symlink() or not path.is_file():
            return Copied(name, "a link or special file, which may lead out of the run")
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in _TEXT:
            # Surrogates keep bytes that are no UTF-8 as they are, and bytes the ends of lines.
            text = path.read_bytes().decode("utf-8", "surrogateescape")
            copy.write_bytes(redact(text, secrets).encode("utf-8", "surrogateescape"))
        elif _holds_secret(path, secrets):
            return Copied(name, "holds credentials")
        else:
            shutil.copyfile(path, copy)
        shutil.copystat(path, copy)
    except FileNotFoundError:
        return Copied(name, "vanished while it was copied")
    return Copied(name)


def _holds_secret(path: Path, secrets: tuple[str, ...]) -> bool:
    wanted = [secret.encode() for secret in secrets]
    before = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            window = before + chunk
            if _LOGIN.search(window) or any(secret in window for secret in wanted):
                return True
            before = window[-_OVERLAP:]
    return False
