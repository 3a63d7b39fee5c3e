"""Continuing a run from its last checkpoint, as a new run of the same lineage.

``python experiments/train.py resume RUN [--runs-dir DIR] [with epochs=40 ...]``
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import run_folder
from experiments.ends import close_if_dead
from experiments.plain import json_ready
from experiments.records import (
    COMPLETED,
    DEAD,
    RUNNING,
    RunRecord,
    read_document,
    read_record,
    read_records,
)

CHANGEABLE = (
    "epochs",
    "max_minutes",
    "data_dir",
    "device",
    "threads",
    "eval_every",
    "save_every",
    "print_every",
    "trial",
)
"""Entries that a resumed run may change: all others make it another training."""

USAGE = "python experiments/train.py resume RUN [--runs-dir DIR] [with epochs=40 ...]"
LATEST = "latest"
LAST = "last.pt"


class ResumeError(ValueError):
    """A run that cannot be continued, with why and what to do."""


@dataclass(frozen=True, slots=True)
class Ancestry:
    """Where a run comes from.

    Attributes:
        parent: id of the run that it continues; None for a run of its own.
        lineage: ids from the first run on, its own excluded.
    """

    parent: int | None = None
    lineage: tuple[int, ...] = ()


def resume_arguments(record: RunRecord, overrides: Sequence[str] = ()) -> list[str]:
    """The arguments of ``experiments/train.py`` that continue a run.

    A run whose process is gone is closed first.

    Args:
        record: the run.
        overrides: changes of its configuration, as in ``epochs=40``.

    Raises:
        ResumeError: it is still running, was continued already, or would become another training.
    """
    for override in overrides:
        key, equals, _ = override.partition("=")
        if not equals or key.strip() not in CHANGEABLE:
            raise ResumeError(
                f"run {record.id} cannot be resumed with {override!r}: that would be another "
                f"training. Of its configuration, {', '.join(CHANGEABLE)} may change, as in "
                "epochs=40; to train something else from its weights, use train.py with "
                f"init_from={record.folder / run_folder.ARTIFACTS / LAST}"
            )
    _refuse_if_not_last(record)
    _refuse_if_done(record, overrides)
    return _arguments(record, overrides)


def find_run(root: Path, wanted: str) -> RunRecord:
    """The run that a user names.

    Args:
        root: the folder of all runs.
        wanted: its id, its folder, or "latest" for the newest that is not running.

    Raises:
        ResumeError: there is none.
    """
    if wanted == LATEST:
        for record in reversed(read_records(root).runs):
            if record.shown_status != RUNNING and _has_checkpoint(record):
                return record
        raise ResumeError(f"no run with a checkpoint in {root}; another folder: --runs-dir")
    folder = root / wanted if wanted.isdecimal() else Path(wanted)
    try:
        return read_record(folder.resolve())
    except ValueError as error:
        raise ResumeError(f"{folder} is no run: {error}; runs are looked for in {root}") from error


def command_line(arguments: Sequence[str], root: Path, *, leads: bool = True) -> list[str]:
    """Sacred's arguments for those of a ``resume`` command; any others as they are.

    Args:
        arguments: the command line without the program.
        root: the folder of all runs, unless the arguments name another.
        leads: whether this process leads its training; the others follow what it may do, and
            see the run that it records already.

    Raises:
        ResumeError: the run cannot be continued, or the command line is not understood.
    """
    if not arguments or arguments[0] != "resume":
        return list(arguments)
    words = list(arguments[1:])
    at = words.index("with") if "with" in words else len(words)
    (name, *options), overrides = words[:at] or [""], words[at + 1 :]
    if not name or name.startswith("-"):
        raise ResumeError(f"resume needs a run as its first word, got {name or 'none'!r}: {USAGE}")
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-R", "--runs-dir", type=Path)
    chosen, _ = parser.parse_known_args(options)
    record = find_run(chosen.runs_dir or root, name)
    home = record.folder.parent  # a lineage lies in one folder
    if chosen.runs_dir is not None and chosen.runs_dir.resolve() != home.resolve():
        raise ResumeError(f"{record.folder} does not lie in --runs-dir {chosen.runs_dir}")
    if chosen.runs_dir is None and root.resolve() != home.resolve():
        options.append(f"--runs-dir={home}")
    return [*options, *(resume_arguments if leads else _arguments)(record, overrides)]


def ancestry(root: Path, config: Mapping[str, Any]) -> Ancestry:
    """Which runs a run of ``config`` continues; none where it is another training than they.

    Args:
        root: the folder of all runs: ids of another one would mean other runs.
        config: the resolved configuration of the new run.
    """
    folder = _folder_of(config.get("resume_from"))
    if folder is None or folder.parent.resolve() != root.resolve():
        return Ancestry()
    try:
        parent = read_record(folder.resolve())
        differing = _differing(parent.config, json_ready(config))
    except (OSError, ValueError):
        return Ancestry()
    return Ancestry() if differing else Ancestry(parent.id, parent.lineage)


def checkpoint_of(resume_from: str | Path) -> Path | None:
    """The checkpoint to resume from; None for a run that was stopped before it had one.

    Args:
        resume_from: a checkpoint, or the folder of a run.

    Raises:
        ResumeError: ``resume_from`` is a folder and no run's.
    """
    path = Path(resume_from).expanduser()
    while path.is_dir():
        checkpoint = path / run_folder.ARTIFACTS / LAST
        if checkpoint.is_file():
            return checkpoint
        try:
            older = read_document(path / run_folder.CONFIG).get("resume_from")
        except ValueError as error:
            raise ResumeError(f"{path} is no run: {error}") from error
        if older is None:
            return None
        path = Path(older)
    return path


def may_finish(checkpoint: Path) -> bool:
    """Whether the run that wrote a checkpoint was stopped before the end of its record."""
    folder = _folder_of(checkpoint)
    try:
        return folder is not None and read_record(folder.resolve()).status != COMPLETED
    except (OSError, ValueError):
        return False


def _arguments(record: RunRecord, overrides: Sequence[str]) -> list[str]:
    config = record.folder / run_folder.CONFIG
    if "=" in str(config):
        raise ResumeError(f"{config}: Sacred takes a path with '=' in it for a setting; rename it")
    return ["with", str(config), f"resume_from={record.folder}", *overrides]


def _refuse_if_not_last(record: RunRecord) -> None:
    if record.shown_status == DEAD:
        record = close_if_dead(record) or record
    if record.status == RUNNING:
        raise ResumeError(f"run {record.id} is still running; stop it first, or wait for its end")
    children = [run for run in read_records(record.folder.parent).runs if run.parent == record.id]
    if children:
        last = children[-1].id
        raise ResumeError(f"run {record.id} was continued as run {last} already: resume that one")


def _refuse_if_done(record: RunRecord, overrides: Sequence[str]) -> None:
    epochs = str(record.config.get("epochs", 0))
    for override in overrides:
        key, _, value = override.partition("=")
        epochs = value.strip() if key.strip() == "epochs" else epochs
    series = record.stitched().values() if record.status == COMPLETED else ()
    done = max((int(one.steps.max()) for one in series), default=0)
    if done and epochs.isdecimal() and int(epochs) <= done:
        raise ResumeError(
            f"run {record.id} finished its {done} epochs; raise epochs to go on, as in "
            f"resume {record.id} with epochs={2 * done}"
        )


def _has_checkpoint(record: RunRecord) -> bool:
    try:
        return checkpoint_of(record.folder) is not None
    except ResumeError:
        return False


def _folder_of(resume_from: str | Path | None) -> Path | None:
    """The run folder that ``resume_from`` is, or lies in the artifacts of."""
    if resume_from is None:
        return None
    path = Path(resume_from).expanduser()
    folder = path if path.is_dir() else path.parent.parent
    return folder if (folder / run_folder.RUN).is_file() else None


def _differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    free = {*CHANGEABLE, "resume_from"}
    keys: Iterable[str] = (set(first) | set(second)) - free
    return sorted(key for key in keys if first.get(key) != second.get(key))
