"""What can be listed, sorted and filtered by: fields of a run, config keys and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from experiments.runs import wording
from experiments.runs.errors import RunsError, nearest
from experiments.runs.summary import Summary

CONFIG, METRIC = "config:", "metric:"


@dataclass(frozen=True)
class Field:
    """One thing to know about a run.

    Attributes:
        key: how the user names it.
        value: gets it; None where a run has none.
        text: how it is shown.
        right: aligned to the right, as numbers are.
    """

    key: str
    value: Callable[[Summary], Any]
    text: Callable[[Any], str] = str
    right: bool = False

    def shown(self, summary: Summary) -> str:
        """Its text for one run."""
        value = self.value(summary)
        return wording.NONE if value is None or value == "" else self.text(value)


def _progress(summary: Summary) -> float | None:
    if not summary.epochs or summary.epoch is None:
        return None
    return summary.epoch / summary.epochs


def _of(part: str, key: str) -> Callable[[Summary], Any]:
    return lambda summary: summary.part(part).get(key)


def _commit(summary: Summary) -> str | None:
    git = summary.part("git")
    commit = git.get("commit")
    return str(commit)[:10] + ("+" if git.get("dirty") else "") if commit else None


def _device(summary: Summary) -> str | None:
    host = summary.part("host")
    gpus = host.get("gpus") or []
    if gpus:
        return f"{len(gpus)} x {gpus[0]}" if len(gpus) > 1 else str(gpus[0])
    return host.get("cpu")


def _result(summary: Summary) -> float | None:
    try:
        result = summary.document.get("result")
        return None if result is None else float(result)
    except (TypeError, ValueError):
        return None


def _dataset(summary: Summary) -> str | None:
    data = summary.info.get("data")
    known = data.get("dataset") if isinstance(data, dict) else None
    return known or summary.config.get("dataset")


def _lineage(summary: Summary) -> str | None:
    lineage = summary.document.get("lineage")
    if not isinstance(lineage, list) or len(lineage) < 2:
        return None
    return ">".join(str(run) for run in lineage)


def _size(summary: Summary) -> int:
    return sum(summary.artifacts().values())


def _figure(key: str, value: Callable[[Summary], float | None]) -> Field:
    return Field(key, value, wording.figure, right=True)


def _length(key: str, value: Callable[[Summary], float | None]) -> Field:
    return Field(key, value, wording.duration, right=True)


_FIELDS: Sequence[Field] = (
    Field("id", lambda run: run.id, right=True),
    Field("name", lambda run: run.name),
    Field("status", lambda run: run.status),
    Field("experiment", _of("experiment", "name")),
    Field("dataset", _dataset),
    Field("epoch", lambda run: run.epoch, right=True),
    Field("progress", _progress, lambda share: f"{100 * share:.0f} %", right=True),
    _length("eta", lambda run: run.eta),
    _figure("best", _result),
    Field("started", lambda run: run.started, wording.moment),
    Field("ended", lambda run: run.ended, wording.moment),
    Field("heartbeat", lambda run: run.heartbeat, wording.moment),
    _length("age", lambda run: run.age),
    _length("duration", lambda run: run.duration),
    Field("commit", _commit),
    Field("host", _of("host", "hostname")),
    Field("device", _device),
    Field("parent", lambda run: run.parent, right=True),
    Field("lineage", _lineage),
    Field("size", _size, wording.size, right=True),
    Field("error", lambda run: run.error),
    Field("folder", lambda run: str(run.folder)),
)
BUILT_IN = {field.key: field for field in _FIELDS}
"""Fields that every run has; ``best`` is its result, the best Dice on the selection pairs."""


def config_value(config: Mapping[str, Any], key: str) -> Any:
    """The entry ``key`` of a configuration; a dot reaches into an entry that holds others."""
    if key in config:
        return config[key]
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return value


def metric_names(keys: Iterable[str], summaries: Iterable[Summary]) -> frozenset[str]:
    """Those of ``keys`` that are no fields or config keys and so metrics, without their prefix."""
    config = {key for summary in summaries for key in summary.config}
    return frozenset(
        key.removeprefix(METRIC)
        for key in keys
        if key not in BUILT_IN and key not in config and not key.startswith(CONFIG)
    )


def find_field(key: str, summaries: Iterable[Summary]) -> Field:
    """The field that ``key`` names: a built-in one, else a config key, else a metric.

    Args:
        key: ``config:`` or ``metric:`` before it says which of two is meant.
        summaries: the runs that may have it; none at all make every name fit.

    Raises:
        RunsError: no run has it.
    """
    if key in BUILT_IN:
        return BUILT_IN[key]
    runs = [summary for summary in summaries if summary.record is not None]
    plain = key.removeprefix(CONFIG).removeprefix(METRIC)
    if not key.startswith(METRIC) and _any_config(runs, plain):
        return Field(
            key,
            lambda run: config_value(run.config, plain),
            wording.entry,
            right=_all_numbers(runs, plain),
        )
    if not key.startswith(CONFIG) and (not runs or any(plain in run.tail.values for run in runs)):
        return _figure(key, lambda run: run.tail.values.get(plain, (0, None))[1])
    known = {name for run in runs for name in (*run.config, *run.tail.values)} | set(BUILT_IN)
    raise RunsError(
        f"no run has a field, config key or metric {plain!r}{nearest(plain, known)}; "
        "fields are " + ", ".join(BUILT_IN) + "; `show RUN --all` lists a run's keys and metrics"
    )


def json_value(value: Any) -> Any:
    """A field's value for JSON; times in ISO format, numbers that JSON lacks as words."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and value - value != 0:
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def _any_config(runs: Sequence[Summary], key: str) -> bool:
    return any(key in run.config or config_value(run.config, key) is not None for run in runs)


def _all_numbers(runs: Sequence[Summary], key: str) -> bool:
    values = [config_value(run.config, key) for run in runs]
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in known
    )
