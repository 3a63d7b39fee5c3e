"""Finds runs: all below a folder, or those that a command line names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from experiments import run_folder
from experiments.runs.errors import RunsError, alternatives, nearest
from experiments.runs.summary import Summary

LATEST = "latest"
TRAIN = "python experiments/train.py with quick"


def gather(root: Path) -> list[Summary]:
    """Every run below ``root`` by ascending id, damaged ones too; a vanished one is left out."""
    now = datetime.now(UTC)
    found: dict[int | str, Summary] = {}
    for run_id in run_folder.run_ids(root):
        summary = summarise(root / str(run_id), now=now)
        if summary is not None:
            found[run_id] = summary
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


def some_runs(root: Path) -> list[Summary]:
    """:func:`gather`, where there must be a run.

    Raises:
        RunsError: there is none, with where was looked and how to make one.
    """
    _ids(root)
    return gather(root)


def continuations(run: Summary) -> list[int | str]:
    """The runs beside ``run`` that were resumed from it."""
    return [other.id for other in gather(run.folder.resolve().parent) if other.parent == run.id]


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
    if Path(typed).is_dir() and (Path(typed) / run_folder.RUN).exists():
        return _with_ancestors(Path(typed))
    named = [summary for summary in some_runs(root) if typed and summary.name == typed]
    if len(named) == 1:
        return _with_ancestors(named[0].folder)
    if named:
        listed = alternatives([str(summary.id) for summary in named[-12:]])
        raise RunsError(f"{len(named)} runs are named {typed!r}: say which by its id, {listed}")
    raise _unknown(root, typed)


def _with_ancestors(folder: Path) -> Summary:
    root = folder.resolve().parent
    summary = summarise(folder)
    if summary is None:
        raise RunsError(f"{folder} has just vanished")
    siblings: dict[int | str, Summary] = {summary.id: summary}
    document = summary.document
    for run_id in [*(document.get("lineage") or []), document.get("parent")]:
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
