"""``compare``: in what runs differ, and which came out better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.runs import tables, wording
from experiments.runs.directions import best, direction, foremost
from experiments.runs.errors import RunsError
from experiments.runs.fields import BUILT_IN, json_value
from experiments.runs.listing import status_cell
from experiments.runs.summary import Summary
from experiments.runs.tables import Cell, Column, Item, Lines, Table

_MOST_METRICS = 12
_ORIGIN = ("commit", "device", "host")
_ABSENT = object()
_BETTER = " *"

Finals = Sequence[Mapping[str, float]]


def show_comparison(runs: Sequence[Summary], *, everything: bool, as_json: bool) -> None:
    """Print how ``runs`` differ.

    Args:
        runs: two or more.
        everything: all metrics, and also what is equal in the configurations.
        as_json: as one JSON object.

    Raises:
        RunsError: fewer than two runs.
    """
    if len(runs) < 2:
        raise RunsError("compare needs at least two different runs, as in: compare 1 latest")
    finals = [{name: value for name, (_, value) in run.tail.values.items()} for run in runs]
    if as_json:
        tables.write_json(_as_json(runs, finals))
    else:
        tables.write(compared(runs, finals, everything=everything))


def compared(runs: Sequence[Summary], finals: Finals, *, everything: bool) -> list[Item]:
    """All parts of the page on ``runs``."""
    configs = [run.config for run in runs]
    return [
        _overview(runs),
        _metrics(runs, finals, everything=everything),
        _differences("Configuration", runs, configs, everything=everything),
        *_package_differences(runs, everything=everything),
    ]


def differing(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys that not all ``mappings`` hold with the same value."""
    keys = dict.fromkeys(key for mapping in mappings for key in mapping)
    return [
        key
        for key in keys
        if any(mapping.get(key, _ABSENT) != mappings[0].get(key, _ABSENT) for mapping in mappings)
    ]


def better(name: str, values: Sequence[float | None]) -> float | None:
    """The best of the runs' final values of a metric; None where they do not differ."""
    known = [value for value in values if value is not None]
    return best(name, known) if len(set(known)) > 1 else None


def _overview(runs: Sequence[Summary]) -> Table:
    table = _table(runs, "Runs")
    table.rows.append(["name", *(Cell(run.name) for run in runs)])
    table.rows.append(["status", *(status_cell(run) for run in runs)])
    for key in ("epoch", "duration", *_ORIGIN):
        texts = [BUILT_IN[key].shown(run) for run in runs]
        style = "yellow" if key in _ORIGIN and len(set(texts)) > 1 else ""
        table.rows.append([key, *(Cell(text, style) for text in texts)])
    return table


def _metrics(runs: Sequence[Summary], finals: Finals, *, everything: bool) -> Item:
    names = dict.fromkeys(name for values in finals for name in values)
    shown = list(names) if everything else foremost(names, most=_MOST_METRICS)
    more = f"; {len(names) - len(shown)} more: --all" if len(shown) < len(names) else ""
    if not shown:
        return Lines("none was logged", title="Final metrics")
    table = _table(runs, f"Final metrics (better: bold{more})", right=True)
    if not tables.in_terminal():
        table.title = f"Final metrics (better:{_BETTER}{more})"
    two = len(runs) == 2
    if two:
        table.columns = [*table.columns, Column("change", right=True)]
    for name in shown:
        values = [values.get(name) for values in finals]
        cells = _metric_cells(name, values)
        table.rows.append([name, *cells, *([_change(name, values)] if two else [])])
    return table


def _metric_cells(name: str, values: Sequence[float | None]) -> list[Cell]:
    winner = better(name, values)
    cells = []
    for value in values:
        text = wording.figure(value)
        if winner is not None and value == winner:
            cells.append(Cell(text, "bold green", plain=text + _BETTER))
        else:
            # Set as wide as a marked one, so that the digits stay below each other.
            cells.append(Cell(text, plain=text + " " * len(_BETTER)))
    return cells


def _change(name: str, values: Sequence[float | None]) -> Cell:
    before, after = values
    if before is None or after is None:
        return Cell(wording.NONE)
    change = after - before
    way = direction(name) * change
    style = "green" if way > 0 else "red" if way < 0 else "bright_black"
    sign = "+" if change > 0 else ""
    return Cell(f"{sign}{wording.figure(change)}", style)


def _differences(
    title: str, runs: Sequence[Summary], mappings: Sequence[Mapping[str, Any]], *, everything: bool
) -> Item:
    unlike = differing(mappings)
    keys = [*unlike]
    if everything:
        keys += [key for key in dict.fromkeys(k for m in mappings for k in m) if key not in unlike]
    if not keys:
        return Lines("no difference", title=title, style="bright_black")
    total = len({key for mapping in mappings for key in mapping})
    table = _table(runs, f"{title} ({len(unlike)} of {total} differ)")
    for key in keys:
        style = "yellow" if everything and key in unlike else ""
        texts = [
            wording.entry(mapping[key]) if key in mapping else wording.NONE for mapping in mappings
        ]
        table.rows.append([key, *(Cell(text, style) for text in texts)])
    return table


def _package_differences(runs: Sequence[Summary], *, everything: bool) -> list[Item]:
    """Packages of unlike versions; those that only some runs had installed are merely counted."""
    packages = [_packages(run) for run in runs]
    if not all(packages):
        return [Lines("not every run has recorded them", title="Packages", style="bright_black")]
    common = set(packages[0]).intersection(*packages[1:])
    if everything:
        return [_differences("Packages", runs, packages, everything=False)]
    shared = [
        {name: versions[name] for name in versions if name in common} for versions in packages
    ]
    items: list[Item] = [_differences("Packages", runs, shared, everything=False)]
    others = {name for versions in packages for name in versions} - common
    if others:
        note = f"{wording.counted(len(others), 'package')} not installed for every run: --all"
        items.append(Lines(note, style="bright_black"))
    return items


def _table(runs: Sequence[Summary], title: str, *, right: bool = False) -> Table:
    columns = [Column(label, right=right, wraps=True) for label in labels(runs)]
    return Table([Column(), *columns], title=title)


def labels(runs: Sequence[Summary]) -> list[str]:
    """What tells the runs apart: their ids, or their folders where two have the same id."""
    if len({run.id for run in runs}) == len(runs):
        return [f"run {run.id}" for run in runs]
    return [str(run.folder) for run in runs]


def _packages(run: Summary) -> Mapping[str, Any]:
    host = run.part("host")
    versions = {"Python": host["python_version"]} if host.get("python_version") else {}
    return {**versions, **run.part("dependencies")}


def _as_json(runs: Sequence[Summary], finals: Finals) -> dict[str, Any]:
    configs, packages = [run.config for run in runs], [_packages(run) for run in runs]
    names = dict.fromkeys(name for values in finals for name in values)
    names_of_runs = [label.removeprefix("run ") for label in labels(runs)]

    def by_run(values: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(names_of_runs, map(json_value, values), strict=True))

    def unlike(mappings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            key: by_run([mapping.get(key) for mapping in mappings]) for key in differing(mappings)
        }

    metrics = {}
    for name in names:
        values = [final.get(name) for final in finals]
        metrics[name] = {
            "values": by_run(values),
            "better": json_value(better(name, values)),
            "direction": {1: "higher", -1: "lower", 0: None}[direction(name)],
        }
    about = ("name", "status", "epoch", "duration", *_ORIGIN, "folder")
    return {
        "runs": [
            {"id": run.id, **{key: json_value(BUILT_IN[key].value(run)) for key in about}}
            for run in runs
        ],
        "config": unlike(configs),
        "metrics": metrics,
        "packages": unlike(packages),
    }
