"""The code that a training is made of, so that two trainings can be known to be of one."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping

from experiments import run_folder
from experiments.records import RunRecord, read_document
from experiments.redaction import redact
from experiments.snapshot import sources

ENTRANCE = "experiments/train.py"
_BY_NAME = ("hipreg/native/", "hipreg/data/datasets/")
"""What no import statement names: compiled sources, and data sets, which are found by name."""
_MOST_NAMED = 3


def training_code() -> dict[str, str]:
    """SHA-256 of each source file that a training may execute, by its path from the root.

    These are ``experiments/train.py``, whatever it imports, directly or not, compiled sources and
    the descriptions of data sets. Files beside them (reports, tables) make no other training.
    """
    known = sources()
    found: set[str] = {path for path in known if path.startswith(_BY_NAME)}
    ahead = {ENTRANCE, *found}
    while ahead:
        path = ahead.pop()
        found.add(path)
        if path.endswith(".py"):
            text = known[path].read_text(encoding="utf-8")
            ahead |= {other for other in _imported(text, known) if other not in found}
    return {path: _digest(known[path].read_bytes()) for path in sorted(found)}


def difference(record: RunRecord, code: Mapping[str, str]) -> str | None:
    """How the code of a run differs from ``code``; None where it does not.

    Args:
        record: the run.
        code: as :func:`training_code` returns it.
    """
    try:
        recorded = read_document(record.folder / run_folder.SOURCES)
    except ValueError as error:
        return f"its code is not known: {error}"
    others = [path for path, digest in code.items() if recorded.get(path) != digest]
    if not others:
        return None
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    return f"other code: {', '.join(others[:_MOST_NAMED])}{more}"


def _imported(text: str, known: Mapping[str, object]) -> Iterator[str]:
    """Paths of the modules that a source imports, anywhere in it, and of their packages."""
    for node in ast.walk(ast.parse(text)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            for end in range(1, len(parts) + 1):
                path = "/".join(parts[:end])
                yield from (p for p in (f"{path}/__init__.py", f"{path}.py") if p in known)


def _digest(content: bytes) -> str:
    # As a run's record keeps it.
    text = redact(content.decode("utf-8", "surrogateescape"))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
