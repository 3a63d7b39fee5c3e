"""``show``: everything about one run on one screen."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.run_folder import ARTIFACTS
from experiments.runs import tables, wording
from experiments.runs.directions import best, foremost
from experiments.runs.fields import BUILT_IN, json_value
from experiments.runs.gather import continuations
from experiments.runs.listing import as_document, status_cell
from experiments.runs.origin import (
    command_line,
    reproduction,
    runs_command,
    unusual,
    usual_entries,
)
from experiments.runs.summary import DEAD, LIVE, Summary, traceback_lines
from experiments.runs.tables import Beside, Cell, Column, Item, Lines, Row, Table

_MOST_METRICS = 12
_CURVE = 24
_LAST_LINES = 12
_RESULTS = {
    "train": "best Dice on the selection pairs ",
    "pretrain": "lowest loss on the selection pairs ",
    "segment": "best Dice on the selection cases ",
}
"""What the result of a run is, by its experiment."""

Curves = Mapping[str, Sequence[tuple[int, float]]]


def show_run(run: Summary, *, everything: bool, as_json: bool) -> None:
    """Print what is known of ``run``.

    Args:
        run: the run.
        everything: all metrics, all configuration entries and the whole traceback.
        as_json: as one JSON object.
    """
    assert run.record is not None  # find_run saw to it
    curves = run.record.stitched()
    if as_json:
        tables.write_json(_as_json(run, curves))
    else:
        children = continuations([run])[run.folder]
        tables.write(described(run, curves, children, everything=everything))


def described(
    run: Summary, curves: Curves, children: Sequence[int | str], *, everything: bool
) -> list[Item]:
    """All parts of the page on ``run``, those that are empty left out.

    Args:
        run: the run.
        curves: its metrics, those of the runs that it continues included.
        children: the runs that continue it.
        everything: all metrics, all configuration entries and the whole traceback.
    """
    return [
        _head(run, children),
        *_failure(run, everything=everything),
        Beside(
            [*_configuration(run, everything=everything), *_artifacts(run)],
            _metrics(curves, everything=everything),
        ),
        _next_steps(run, resumable=not children),
    ]


def _head(run: Summary, children: Sequence[int | str]) -> Table:
    rows = [
        (label, value if isinstance(value, Cell) else Cell(value))
        for label, value in _facts(run, children)
        if value and value != wording.NONE
    ]
    title = f"Run {run.id}  {run.name}".rstrip()
    return _pairs(rows, title=title)


def _facts(run: Summary, children: Sequence[int | str]) -> Iterator[tuple[str, Cell | str]]:
    def shown(key: str) -> str:
        return BUILT_IN[key].shown(run)

    yield "status", _status(run)
    yield "damaged", run.damage
    yield "result", _result(run)
    yield "progress", _progress(run)
    yield "time", _time(run)
    yield "command", command_line(run) or ""
    data = run.info.get("data")
    yield "data", " ".join(map(str, data.values())) if isinstance(data, dict) else ""
    yield "lineage", _lineage(run, children)
    yield "commit", _commit(run)
    yield "machine", _machine(run)
    yield "software", _software(run)
    yield "mirror", str(run.document.get("degraded") or "")
    yield "warnings", _warnings(run)
    yield "not finite", _nonfinite(run)
    yield "folder", shown("folder")


def _status(run: Summary) -> Cell:
    from experiments.records import why_dead

    cell = status_cell(run)
    reason = run.part("died").get("why")
    if run.record and run.status == DEAD:
        reason = why_dead(run.record)
    return Cell(f"{cell.text}: {reason}", cell.style) if reason else cell


def _warnings(run: Summary) -> str:
    warnings = run.document.get("warnings") or []
    said = [
        str(entry["what"]) for entry in warnings if isinstance(entry, dict) and "what" in entry
    ]
    more = f" ({len(said) - 1} more in run.json)" if len(said) > 1 else ""
    return said[-1] + more if said else ""


def _nonfinite(run: Summary) -> str:
    counts = run.part("nonfinite")
    return ", ".join(f"{name} {times} times" for name, times in counts.items())


def _result(run: Summary) -> str:
    value = BUILT_IN["best"].value(run)
    if value is None:
        return ""
    return _RESULTS.get(run.part("experiment").get("name", "train"), "") + wording.figure(value)


def _progress(run: Summary) -> str:
    if run.epoch is None:
        return "no epoch logged yet" if run.status == LIVE else ""
    of = f" of {run.epochs}" if run.epochs else ""
    left = f", about {wording.duration(run.eta)} left" if run.eta is not None else ""
    return f"epoch {run.epoch}{of}{left}"


def _time(run: Summary) -> str:
    if run.started is None:
        return ""
    ago = f"started {wording.moment(run.started)} ({wording.duration(run.age)} ago)"
    if run.duration is None:
        return ago
    verb = "running for" if run.status == LIVE else "took"
    if run.status == DEAD:
        verb = "last heard of after"
    return f"{ago}, {verb} {wording.duration(run.duration)}"


def _lineage(run: Summary, children: Sequence[int | str]) -> str:
    epoch, chain = run.document.get("resumed_at_epoch"), BUILT_IN["lineage"].shown(run)
    parts = [] if chain == wording.NONE else [chain.replace(">", " > ")]
    parts += [f"resumed after epoch {epoch}"] if epoch else []
    parts += [f"continued by run {child}" for child in children]
    return ", ".join(parts)


def _commit(run: Summary) -> str:
    git = run.part("git")
    if not git.get("commit"):
        return "none recorded"
    text = str(git["commit"])
    if git.get("dirty"):
        cut = "" if git.get("diff_complete", True) else ", cut"
        text += f" and uncommitted changes (uncommitted.diff{cut})"
    return text


def _machine(run: Summary) -> str:
    host = run.part("host")
    cores = f"{host['cpu_count']} CPU cores" if host.get("cpu_count") else ""
    gpus = ", ".join(host.get("gpus") or []) or "no GPU"
    parts = [host.get("hostname"), host.get("cpu"), cores, gpus]
    return ", ".join(str(part) for part in parts if part) if host else ""


def _software(run: Summary) -> str:
    host, versions = run.part("host"), run.part("dependencies")
    words = [f"Python {host['python_version']}"] if host.get("python_version") else []
    words += [
        f"{name} {versions[name]}"
        for name in ("torch", "numpy", "sacred", "hipreg")
        if name in versions
    ]
    more = len(versions)
    return ", ".join(words) + (f" ({more} packages recorded)" if more else "")


def _failure(run: Summary, *, everything: bool) -> list[Lines]:
    trace = traceback_lines(run.document)
    if not trace:
        return []
    kept = trace if everything else trace[-_LAST_LINES:]
    cut = [f"... {len(trace) - len(kept)} lines before (--all)"] if len(kept) < len(trace) else []
    return [Lines("\n".join([*cut, *kept]), title="Traceback", style="red")]


def _configuration(run: Summary, *, everything: bool) -> list[Table]:
    if not run.config:
        return []
    usual = usual_entries(run)
    differing, rest = unusual(dict(run.config), usual)
    rows: list[Row] = []
    for key, value in differing.items():
        normally = f"default {wording.entry(usual[key])}" if key in usual else ""
        rows.append((key, Cell(wording.entry(value), "bold"), Cell(normally, "bright_black")))
    if everything:
        rows += [(key, Cell(wording.entry(value)), Cell("")) for key, value in rest.items()]
    note = "" if everything or not rest else "; others: --all"
    title = f"Configuration ({len(differing)} of {len(run.config)} not default{note})"
    return [Table([Column(), Column(wraps=True), Column(wraps=True)], rows, title, headed=False)]


def _metrics(curves: Curves, *, everything: bool) -> list[Table]:
    if not curves:
        return []
    names = list(curves) if everything else foremost(curves, most=_MOST_METRICS)
    columns = [Column("metric"), Column("first", right=True), Column("best", right=True)]
    columns += [
        Column("at", right=True),
        Column("last", right=True),
        Column("curve", style="cyan"),
    ]
    rows: list[Row] = [_metric_row(name, curves[name]) for name in names]
    more = len(curves) - len(names)
    title = "Metrics" + (f" ({more} more: --all)" if more else "")
    return [Table(columns, rows, title)]


def _metric_row(name: str, points: Sequence[tuple[int, float]]) -> list[Cell]:
    values = [value for _, value in points]
    optimum = best(name, values)
    at = "" if optimum is None else str(next(step for step, value in points if value == optimum))
    bars = wording.BARS if _can_draw() else wording.PLAIN_BARS
    return [
        Cell(name),
        Cell(wording.figure(values[0])),
        Cell(wording.figure(optimum), "bold green" if optimum is not None else "bright_black"),
        Cell(at, "bright_black"),
        Cell(wording.figure(values[-1])),
        Cell(wording.sparkline(values, width=_CURVE, bars=bars)),
    ]


def _can_draw() -> bool:
    try:
        wording.BARS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _artifacts(run: Summary) -> list[Table]:
    found = run.artifacts()
    rows: list[Row] = [(name, wording.size(count)) for name, count in found.items()]
    if not rows:
        return []
    total = wording.size(sum(found.values()))
    title = f"Artifacts ({total} in {run.folder / ARTIFACTS})"
    return [Table([Column(), Column(right=True)], rows, title, headed=False)]


def _next_steps(run: Summary, *, resumable: bool) -> Table:
    rows, root = [], run.folder.parent
    if run.status == DEAD:
        rows.append(("close the record", runs_command(root, "reap")))
    checkpoints = [part.folder / ARTIFACTS / "last.pt" for part in (run, *run.ancestors)]
    if resumable and run.status != LIVE and any(map(Path.is_file, checkpoints)):
        more = ["with", f"epochs={2 * (run.epochs or 0)}"] if run.status == "COMPLETED" else []
        rows.append(("resume", runs_command(root, "resume", str(run.id), *more)))
    rows += [("" if i else "reproduce", step) for i, step in enumerate(reproduction(run))]
    return _pairs([(label, Cell(command, "cyan")) for label, command in rows], title="Next")


def _pairs(rows: Sequence[tuple[str, Cell]], *, title: str) -> Table:
    cells = [(Cell(label, "bright_black"), value) for label, value in rows]
    return Table([Column(), Column(wraps=True)], list(cells), title, headed=False)


def _as_json(run: Summary, curves: Curves) -> dict[str, Any]:
    differing, _ = unusual(dict(run.config), usual_entries(run))
    metrics = {
        name: {
            "first": json_value(points[0][1]),
            "best": json_value(best(name, [value for _, value in points])),
            "last": json_value(points[-1][1]),
            "last_step": points[-1][0],
            "count": len(points),
        }
        for name, points in curves.items()
    }
    return {
        **as_document(run),
        "metrics": metrics,
        "not_default": sorted(differing),
        "artifacts": run.artifacts(),
        "command": command_line(run),
        "reproduce": reproduction(run),
        "document": run.document,
    }
