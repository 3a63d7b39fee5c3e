"""Where a run came from: its command line, its commit, and its entries that are not usual."""

from __future__ import annotations

import ast
import shlex
from functools import cache
from pathlib import Path
from typing import Any

from experiments.run_folder import DIFF
from experiments.runs.summary import Summary

_EXPERIMENTS = Path(__file__).resolve().parents[1]
_INCIDENTAL = frozenset({"name", "resume_from"})


@cache
def defaults(configs: Path = _EXPERIMENTS / "configs.py") -> dict[str, Any]:
    """The entries of the base configuration whose defaults are written down as such.

    Read from the source: to import it takes Sacred and PyTorch, which are seconds. Entries that
    are worked out (``dataset``, ``name``) are not among them.

    Args:
        configs: the file with the function ``base``.
    """
    tree = ast.parse(configs.read_text(encoding="utf-8"))
    constants = _literals(tree.body, {})
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "base":
            return _literals(node.body, constants)
    return {}


def unusual(config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A configuration's entries that differ from the defaults, and the others.

    An entry that has no known default counts as differing.
    """
    usual = defaults()
    differing = {
        key: value
        for key, value in config.items()
        if key not in _INCIDENTAL and (key not in usual or usual[key] != value)
    }
    return differing, {key: value for key, value in config.items() if key not in differing}


def command_line(run: Summary) -> str | None:
    """What was typed to start the run; None for a record that does not say."""
    script = f"experiments/{(run.document.get('experiment') or {}).get('name', 'train')}.py"
    meta = run.document.get("meta") or {}
    options = meta.get("options") or {}
    if not isinstance(options.get("UPDATE"), list):
        return None
    words = ["python", script]
    if options.get("COMMAND"):
        words.append(str(options["COMMAND"]))
    updates = [str(update) for update in options["UPDATE"]]
    return shlex.join([*words, *(["with", *updates] if updates else [])])


def reproduction(run: Summary) -> list[str]:
    """The shell commands that repeat the run, as far as its record holds them."""
    git = run.document.get("git") or {}
    steps = []
    if git.get("commit"):
        steps.append(f"git checkout {git['commit']}")
    if git.get("dirty"):
        steps.append(f"git apply {shlex.quote(str((run.folder / DIFF).resolve()))}")
    steps.append(command_line(run) or _from_config(run))
    return steps


def _from_config(run: Summary) -> str:
    """A command line from the configuration alone, where no record holds the one typed."""
    words = ["python", "experiments/train.py", "with"]
    differing, _ = unusual(dict(run.config))
    words += [f"{key}={value}" for key, value in differing.items()]
    return shlex.join(words)


def _literals(body: list[ast.stmt], known: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Name) and value.id in known:
                found[node.targets[0].id] = known[value.id]
                continue
            try:
                found[node.targets[0].id] = ast.literal_eval(value)
            except ValueError:
                continue
    return found
