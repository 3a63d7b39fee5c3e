"""Where a run came from: its command line, its commit, and its entries that are not usual."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from experiments.run_folder import DIFF, runs_root
from experiments.runs.summary import Summary

_EXPERIMENTS = Path(__file__).resolve().parents[1]
_TRAINING = ("configs.py", "families.py")
_CONFIGS = {
    "pretrain": (*_TRAINING, "pretrain_configs.py"),
    "segment": ("segmentation/configs.py",),
}
"""Where an experiment's configuration stands, if not with that of the trainings."""
_FUNCTIONS = frozenset({"base", "families", "pretraining"})
"""The functions whose local variables are the entries."""
_INCIDENTAL = frozenset({"name", "resume_from"})


@cache
def defaults(experiment: str = "train") -> dict[str, Any]:
    """The entries of an experiment whose defaults are written down as such.

    Read from the source: to import it takes Sacred and PyTorch, which are seconds. Entries that
    are worked out (``dataset``, ``name``) are not among them.
    """
    found: dict[str, Any] = {}
    for name in _CONFIGS.get(experiment, _TRAINING):
        tree = ast.parse((_EXPERIMENTS / name).read_text(encoding="utf-8"))
        constants = _literals(tree.body, {})
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name in _FUNCTIONS:
                found |= _literals(node.body, constants)
    return found


def usual_entries(run: Summary) -> dict[str, Any]:
    """The ``defaults`` of the experiment that a run is one of."""
    return defaults(_experiment(run))


def unusual(
    config: dict[str, Any], usual: dict[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A configuration's entries that differ from the defaults, and the others.

    An entry that has no known default counts as differing.

    Args:
        config: the entries.
        usual: the defaults; None for those of a training.
    """
    usual = defaults() if usual is None else usual
    differing = {
        key: value
        for key, value in config.items()
        if key not in _INCIDENTAL and (key not in usual or usual[key] != value)
    }
    return differing, {key: value for key, value in config.items() if key not in differing}


def runs_command(root: Path, *words: str) -> str:
    """This command with ``words``, for the runs below ``root``."""
    elsewhere = [] if root.resolve() == runs_root().resolve() else ["-R", str(root)]
    return shlex.join(["python", "-m", "experiments.runs", *elsewhere, *words])


def command_line(run: Summary) -> str | None:
    """What starts such a run: for a resumed one, resuming; None for a record that does not say."""
    updates = _updates(run)
    if updates is None:
        return None
    if run.parent is not None:
        return _train(["resume", str(run.parent)], _own_updates(updates), _script(run))
    command = run.part("meta").get("command")
    return _train([command] if command and command != "main" else [], updates, _script(run))


def reproduction(run: Summary) -> list[str]:
    """The shell commands that repeat the run from its first epoch on, as far as is recorded."""
    git = run.part("git")
    steps = []
    if git.get("commit"):
        steps.append(f"git checkout {git['commit']}")
    if git.get("dirty"):
        steps.append(f"git apply {shlex.quote(str((run.folder / DIFF).resolve()))}")
    first, *later = (*reversed(run.ancestors), run)
    updates = _updates(first)
    if updates is None:
        differing, _ = unusual(dict(first.config), usual_entries(first))
        updates = [f"{key}={value}" for key, value in differing.items()]
    else:
        updates = [*updates, *(word for part in later for word in _own_updates(_updates(part)))]
    return [*steps, _train([], updates, _script(first))]


def _experiment(run: Summary) -> str:
    return str(run.part("experiment").get("name", "train"))


def _script(run: Summary) -> str:
    return f"experiments/{_experiment(run)}.py"


def _train(
    words: Sequence[str], updates: Sequence[str], script: str = "experiments/train.py"
) -> str:
    return shlex.join(["python", script, *words, *(["with", *updates] if updates else [])])


def _updates(run: Summary) -> list[str] | None:
    """What stood after "with"; None for a record that does not say.

    A trial that is repeated is no trial of its study.
    """
    options = run.part("meta").get("options") or {}
    updates = options.get("UPDATE")
    if not isinstance(updates, list):
        return None
    return [word for word in map(str, updates) if not word.startswith(("study=", "trial="))]


def _own_updates(updates: Sequence[str] | None) -> list[str]:
    """What a resumed run changed, without the words that say from where it was resumed."""
    return [word for word in updates or [] if "=" in word and not word.startswith("resume_from=")]


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
