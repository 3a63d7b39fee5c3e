"""``list``: the runs of a folder as a table or as JSON."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from experiments.runs import tables, wording
from experiments.runs.fields import BUILT_IN, Field, find_field, json_value, metric_names
from experiments.runs.filters import (
    Filter,
    check_comparable,
    matcher,
    name_matches,
    parse_filter,
)
from experiments.runs.gather import look_for, some_runs
from experiments.runs.origin import runs_command
from experiments.runs.summary import DAMAGED, DEAD, LIVE, Summary, latest_only

STATUS_STYLES = {
    "COMPLETED": "green",
    LIVE: "bold cyan",
    "QUEUED": "cyan",
    "FAILED": "bold red",
    "DIED": "red",
    DEAD: "bold red",
    DAMAGED: "bold magenta",
    "INTERRUPTED": "yellow",
    "TIMEOUT": "yellow",
    "PRUNED": "bright_black",
}

_METRICS = ("val/dice", "val/hd95", "val/sdlogj")
_USUAL = (
    *("id", "name", "status", "epoch", "eta", "best"),
    *_METRICS,
    *("dataset", "age", "duration", "lineage", "commit"),
)
_LEAST_NEEDED = (
    *("commit", "dataset", "val/sdlogj", "lineage", "val/hd95", "duration", "best"),
    *("age", "eta"),
)
_BAR, _ROOM_FOR_BARS = 6, 120


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed and how.

    Attributes:
        where: conditions that all must hold.
        name: pattern that a name or one word of it must match.
        columns: fields to show; empty for the usual ones that are not empty and fit.
        sort: field to sort by; None for the id.
        reverse: largest first.
        last: so many of the newest; None for all.
        first: so many rows of the sorted table; None for all.
        every: the runs that others continue, too.
    """

    where: tuple[str, ...] = ()
    name: str | None = None
    columns: tuple[str, ...] = ()
    sort: str | None = None
    reverse: bool = False
    last: int | None = None
    first: int | None = None
    every: bool = False


def show_list(root: Path, listing: Listing, *, as_json: bool) -> None:
    """Print the runs below ``root``.

    Raises:
        RunsError: there are none, or a name or condition is wrong.
    """
    conditions = [parse_filter(text) for text in listing.where]
    keys = [condition.key for condition in conditions]
    keys += [*listing.columns, *([listing.sort] if listing.sort else [])]
    everything = some_runs(root)
    if listing.columns or not as_json:
        look_for(everything, metric_names([*keys, *(listing.columns or _METRICS)], everything))
    fields = {key: find_field(key, everything) for key in dict.fromkeys(keys)}
    candidates = everything if listing.every else latest_only(everything)
    rows = _chosen(candidates, listing, conditions, fields)
    if as_json:
        _write_json(rows, [fields[key] for key in listing.columns])
        return
    if rows:
        tables.write([_table(rows, listing, fields)])
    sys.stdout.flush()
    _write_notes(root, rows, candidates, len(everything) - len(candidates))


def status_cell(run: Summary) -> tables.Cell:
    """A run's status in its colour."""
    return tables.Cell(run.status, STATUS_STYLES.get(run.status, ""))


def _chosen(
    runs: Sequence[Summary],
    listing: Listing,
    conditions: Sequence[Filter],
    fields: dict[str, Field],
) -> list[Summary]:
    chosen = list(runs)
    for condition in conditions:
        field = fields[condition.key]
        check_comparable(condition, (field.value(run) for run in runs))
        matches = matcher(condition, field)
        chosen = [run for run in chosen if matches(field.value(run))]
    if listing.name is not None:
        chosen = [run for run in chosen if name_matches(run.name, listing.name)]
    if listing.last is not None:
        chosen = chosen[len(chosen) - min(len(chosen), listing.last) :]
    key = BUILT_IN["id"] if listing.sort is None else fields[listing.sort]
    chosen = _sorted(chosen, key, reverse=listing.reverse)
    return chosen if listing.first is None else chosen[: listing.first]


def _sorted(runs: Sequence[Summary], field: Field, *, reverse: bool) -> list[Summary]:
    """By value, text after numbers, and runs without one at the end in either direction."""
    values = [(field.value(run), run) for run in runs]
    known = [(value, run) for value, run in values if value is not None and value == value]
    rest = [run for value, run in values if value is None or value != value]
    known.sort(key=lambda pair: _rank(pair[0]), reverse=reverse)
    return [run for _, run in known] + rest


def _rank(value: Any) -> tuple[int, Any]:
    if isinstance(value, (int, float)):
        return 0, value
    if isinstance(value, datetime):
        return 0, value.timestamp()
    return 1, value if isinstance(value, str) else json.dumps(value)


def _table(rows: Sequence[Summary], listing: Listing, fields: dict[str, Field]) -> tables.Table:
    if listing.columns:
        return _made(rows, [fields[key] for key in listing.columns])
    usual = [_usual_field(key) for key in _USUAL]
    fitting = [field for field in usual if any(field.value(run) is not None for run in rows)]
    table = _made(rows, fitting)
    if not tables.in_terminal():
        return table
    room = tables.columns_of_terminal()
    for key in _LEAST_NEEDED:
        if tables.row_width(table) <= room:
            break
        fitting = [field for field in fitting if field.key != key]
        table = _made(rows, fitting)
    return table


def _usual_field(key: str) -> Field:
    return find_field(key, [])


def _made(rows: Sequence[Summary], fields: Sequence[Field]) -> tables.Table:
    columns = [
        tables.Column(field.key, right=field.right, wraps=field.key in ("name", "error", "folder"))
        for field in fields
    ]
    return tables.Table(columns, [[_cell(run, field) for field in fields] for run in rows])


def _cell(run: Summary, field: Field) -> tables.Cell:
    if field.key == "status":
        return status_cell(run)
    if field.key == "epoch" and run.epochs and run.epoch is not None:
        return tables.Cell(f"{run.epoch}/{run.epochs}")
    if field.key == "eta" and run.eta is not None:
        return _eta_cell(run, field)
    text = field.shown(run)
    return tables.Cell(text, "bright_black" if text == wording.NONE else "")


def _eta_cell(run: Summary, field: Field) -> tables.Cell:
    text = field.shown(run)
    if tables.in_terminal() and tables.columns_of_terminal() < _ROOM_FOR_BARS:
        return tables.Cell(text, "cyan")
    done = round(_BAR * (BUILT_IN["progress"].value(run) or 0))
    return tables.Cell(f"{'━' * done}{'╌' * (_BAR - done)} {text}", "cyan", plain=text)


def _write_json(rows: Sequence[Summary], fields: Sequence[Field]) -> None:
    if fields:
        listed = [{field.key: json_value(field.value(run)) for field in fields} for run in rows]
    else:
        listed = [as_document(run) for run in rows]
    tables.write_json(listed)


def as_document(run: Summary) -> dict[str, Any]:
    """All that a listing knows of a run, for JSON; ``size`` would need its artifacts' files."""
    known = {key: json_value(field.value(run)) for key, field in BUILT_IN.items() if key != "size"}
    metrics = {
        name: {"step": step, "value": json_value(value)}
        for name, (step, value) in run.tail.values.items()
    }
    about = {"epochs": run.epochs, "damage": run.damage or None}
    return {**known, **about, "config": run.config, "metrics": metrics}


def _write_notes(
    root: Path, rows: Sequence[Summary], candidates: Sequence[Summary], hidden: int
) -> None:
    """What a reader of the table must know; on standard error, so that a pipe gets the table."""
    counts = Counter(run.status.lower() for run in rows)
    parts = ", ".join(f"{count:,} {status}" for status, count in counts.most_common())
    of = "" if len(rows) == len(candidates) else f" of {len(candidates):,}"
    notes = [
        f"{wording.counted(len(rows), 'run')}{of} in {root}" + (f": {parts}" if parts else "")
    ]
    if hidden:
        notes.append(
            f"{wording.counted(hidden, 'run')} that others continue: --all shows them too"
        )
    dead = [str(run.id) for run in rows if run.status == DEAD]
    if dead:
        notes.append(
            f"dead ({_some(dead)}): the process is gone; `{runs_command(root, 'reap')}` closes "
            f"the record, `{runs_command(root, 'resume', dead[-1])}` goes on from there"
        )
    notes += [f"damaged: {run.folder}: {run.damage}" for run in rows if run.damage]
    sys.stderr.writelines(f"{tables.printable(note)}\n" for note in notes)


def _some(words: Sequence[str], most: int = 8) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
