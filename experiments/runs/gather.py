"""Finds runs: all below a folder, or those that a command line names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from experiments import run_folder
from experiments.runs.errors import RunsError, alternatives, nearest
from experiments.runs.summary import Summary

Given = TypeVar("Given")
Made = TypeVar("Made")

_THREADS = 8
LATEST = "latest"
TRAIN = "python experiments/train.py with quick"


def gather(root: Path) -> list[Summary]:
    """Every run below ``root`` by ascending id, damaged ones too; a vanished one is left out."""
    now = datetime.now(UTC)
    folders = [root / str(run_id) for run_id in run_folder.run_ids(root)]
    summaries = at_once(lambda folder: summarise(folder, now=now), folders)
    found = {summary.id: summary for summary in summaries if summary is not None}
    for summary in found.values():
        summary.ancestors = _ancestors(summary, found)
    return list(found.values())


def summarise(folder: Path, *, now: datetime | None = None) -> Summary | None:
    """One run folder; None where there is none any more."""
    from experiments.records import read_record

    summary = Summary(folder, None, now=now or datetime.now(UTC))
    try:
        summary.record = read_record(folder)
        summary.config = dict(summary.record.config)
        summary.info = dict(summary.record.info)
    except (OSError, ValueError) as error:
        summary.damage = str(error)
    return summary if not summary.damage or folder.is_dir() else None


def look_for(runs: Sequence[Summary], wanted: frozenset[str]) -> None:
    """Read the ends of the runs' metrics now, no further back than the last of each of these."""
    for run in runs:
        run.wanted = wanted
    at_once(lambda run: run.tail, runs)


def at_once(function: Callable[[Given], Made], items: Sequence[Given]) -> list[Made]:
    """``function`` of every item, in order; disks and networks answer many questions at once."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(function, items))


def some_runs(root: Path) -> list[Summary]:
    """:func:`gather`, where there must be a run.

    Raises:
        RunsError: there is none, with where was looked and how to make one.
    """
    _ids(root)
    return gather(root)


def continuations(runs: Iterable[Summary]) -> dict[Path, list[int | str]]:
    """By the folder of each of ``runs``, those beside it that were resumed from it."""
    roots = {run.folder: run.folder.resolve().parent for run in runs}
    beside = {root: gather(root) for root in set(roots.values())}
    return {
        folder: [other.id for other in beside[root] if str(other.parent) == folder.resolve().name]
        for folder, root in roots.items()
    }


def find_run(root: Path, typed: str) -> Summary:
    """The run that ``typed`` names: an id, "latest", a folder, or a name that only one run has.

    Raises:
        RunsError: no run, or several; the nearest are named. Or the run cannot be read.
    """
    found = _find(root, typed)
    if found.record is None:
        raise RunsError(f"run {found.id} in {found.folder.parent} is damaged: {found.damage}")
    return found


def find_runs(root: Path, typed: Iterable[str]) -> list[Summary]:
    """:func:`find_run` for each, every run once."""
    found = {summary.folder.resolve(): summary for summary in (find_run(root, t) for t in typed)}
    return list(found.values())


def _ids(root: Path) -> list[int]:
    found = run_folder.run_ids(root)
    if not found:
        what = "no runs" if root.is_dir() else "there is no folder, and so no run,"
        raise RunsError(
            f"{what} in {root} (--runs-dir or HIPREG_RUNS looks elsewhere); make one: {TRAIN}"
        )
    return found


def _find(root: Path, typed: str) -> Summary:
    if typed.isdecimal():
        folder = root / str(int(typed))
        if folder.is_dir():
            return _with_ancestors(folder)
        raise _unknown(root, typed)
    if typed == LATEST:
        return _with_ancestors(root / str(_ids(root)[-1]))
    if typed and (Path(typed) / run_folder.RUN).is_file():
        return _with_ancestors(_numbered(Path(typed)))
    named = [summary for summary in some_runs(root) if typed and summary.name == typed]
    if len(named) == 1:
        return _with_ancestors(named[0].folder)
    if named:
        listed = alternatives([str(summary.id) for summary in named[-12:]])
        raise RunsError(f"{len(named)} runs are named {typed!r}: say which by its id, {listed}")
    raise _unknown(root, typed)


def _numbered(folder: Path) -> Path:
    """``folder``, by another path where this one (".") does not end in its name."""
    named = folder if folder.name.isdecimal() else folder.resolve()
    if not named.name.isdecimal():
        raise RunsError(f"{folder}: a run's folder is named by its number: rename it, as in 1")
    return named


def _with_ancestors(folder: Path) -> Summary:
    root = folder.resolve().parent
    summary = summarise(folder)
    if summary is None:
        raise RunsError(f"{folder} has just vanished")
    siblings: dict[int | str, Summary] = {summary.id: summary}
    lineage = summary.document.get("lineage")
    for run_id in [*(lineage if isinstance(lineage, list) else ()), summary.parent]:
        if isinstance(run_id, int) and run_id != summary.id:
            ancestor = summarise(root / str(run_id))
            if ancestor is not None:
                siblings[run_id] = ancestor
    for sibling in siblings.values():
        sibling.ancestors = _ancestors(sibling, siblings)
    return summary


def _ancestors(summary: Summary, known: dict[int | str, Summary]) -> tuple[Summary, ...]:
    found: list[Summary] = []
    current = summary
    # A damaged record may name itself: every run is met once.
    while current.parent in known and current.parent not in {run.id for run in (summary, *found)}:
        current = known[current.parent]
        found.append(current)
    return tuple(found)


def _unknown(root: Path, typed: str) -> RunsError:
    summaries = some_runs(root)
    if typed.isdecimal():
        ids = [summary.id for summary in summaries if isinstance(summary.id, int)]
        close = sorted(sorted(ids, key=lambda run_id: abs(run_id - int(typed)))[:3])
        near = f"; the nearest are {', '.join(map(str, close))}"
    else:
        near = nearest(typed, {summary.name for summary in summaries if summary.name})
    return RunsError(
        f"no run {typed!r} in {root}{near}; a RUN is an id, {LATEST!r}, a folder or a unique name"
    )
