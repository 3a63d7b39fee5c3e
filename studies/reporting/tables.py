"""The words and numbers of a study's report: its trials, its front, and how to repeat the best."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial

from experiments.words import assignments
from pages.grid import NONE, Cell, Grid, Mark
from studies import schema
from studies.reporting.view import (
    BROKEN,
    COMPLETE,
    FAILED,
    KINDS,
    OVER,
    TITLES,
    View,
    kind,
)

_COSTS = (schema.SECONDS_PER_PAIR, schema.MEMORY_MB, schema.EPOCHS)
_LONGEST = 60


def trials_grid(view: View) -> Grid:
    """Every trial: run, what became of it, values, parameters and what it cost."""
    costs = [key for key in _COSTS if any(key in t.user_attrs for t in view.trials)]
    shown = [key for key in costs if TITLES.get(key) not in view.objectives]
    heads = ("Trial", "Run", "State", *view.objectives, *view.parameters)
    best = {trial.number for trial in view.best}
    rows = tuple(
        (
            *_about(trial, view),
            *_values(trial, view, "best" if trial.number in best else ""),
            *(Cell(value(trial.params.get(name))) for name in view.parameters),
            *(Cell(value(trial.user_attrs.get(key))) for key in shown),
            Cell(duration(seconds(trial))),
        )
        for trial in view.trials
    )
    return Grid("Trials", (*heads, *(TITLES.get(key, key) for key in shown), "Time"), rows)


def front_grid(view: View) -> Grid:
    """The Pareto front by its first objective, with the runs that it is made of."""
    rows = tuple(
        (
            Cell(f"run {run}" if (run := trial.user_attrs.get(schema.RUN)) else NONE),
            Cell(str(trial.number)),
            *(Cell(value(one)) for one in trial.values),
            *(Cell(value(trial.params.get(name))) for name in view.parameters),
        )
        for trial in view.best
    )
    return Grid("Pareto front", ("Run", "Trial", *view.objectives, *view.parameters), rows)


def study_grid(view: View) -> Grid:
    """What the study was told, by the names under which it keeps that."""
    known = (
        schema.SPACE,
        schema.MODE,
        schema.AGAINST,
        schema.LIMITS,
        schema.BUDGET_EPOCHS,
        schema.OVERRIDES,
        schema.SAMPLER,
        schema.PRUNER,
        schema.DATA,
        schema.METRICS,
        schema.CODE,
        schema.SEARCH_SPACE,
    )
    rows = [
        (Cell(key.replace("_", " ")), Cell(text))
        for key in known
        if key in view.about
        for text in _setting(view.about[key])
    ]
    return Grid("Settings of the study", ("Setting", "Value"), tuple(rows))


def summary(view: View) -> str:
    """How many trials came to what, in a sentence."""
    counts = [(view.count(what), what) for what in KINDS]
    words = ", ".join(f"{count} {what}" for count, what in counts if count)
    if not view.trials:
        return "The study has no trials yet."
    whole = f"{len(view.trials)} trial{'s' if len(view.trials) > 1 else ''}: {words}."
    if not view.complete:
        return f"{whole} None has come to its end with a value, so there is nothing to compare."
    if not view.feasible:
        return f"{whole} None keeps all limits, so there is no best one."
    return whole


def commands(view: View, trial: FrozenTrial) -> list[str]:
    """The shell commands that repeat a trial's training, from its commit on."""
    lines = []
    if view.about.get(schema.CODE):
        lines.append(f"git checkout {str(view.about[schema.CODE]).removesuffix('+')}")
    shared = [str(word) for word in view.about.get(schema.OVERRIDES) or []]
    chosen = trial.user_attrs.get(schema.ENTRIES)
    entries = chosen if isinstance(chosen, dict) else trial.params
    epochs = view.about.get(schema.BUDGET_EPOCHS)
    ours = {} if epochs is None else {"epochs": epochs}
    if not any(word.partition("=")[0] == "max_minutes" for word in shared):
        ours["max_minutes"] = None  # a study measures epochs, and never the time that they take
    words = [*shared, *assignments({**entries, **ours})]
    told = ["python", "experiments/train.py", *(["with", *words] if words else [])]
    return [*lines, shlex.join(told)]


def failures(view: View) -> list[str]:
    """Why trials failed, a line each."""
    return [
        f"trial {trial.number}: {trial.user_attrs.get(schema.FAILED, 'its value is no number')}"
        for trial in view.trials
        if kind(trial) == FAILED
    ]


def value(found: Any) -> str:
    """A number or word in a table."""
    if found is None:
        return NONE
    if isinstance(found, bool) or not isinstance(found, float | int):
        return str(found)
    return f"{found:d}" if isinstance(found, int) else f"{found:.4g}"


def duration(found: float | None) -> str:
    """Seconds in words of two units at most."""
    if found is None:
        return NONE
    whole = round(found)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {whole % 60:02d} s" if minutes else f"{found:.1f} s"


def seconds(trial: FrozenTrial) -> float | None:
    """How long a trial took: its training as it says itself, else from its start to its end."""
    told = trial.user_attrs.get(schema.SECONDS)
    if isinstance(told, float | int):
        return float(told)
    return None if trial.duration is None else trial.duration.total_seconds()


def _about(trial: FrozenTrial, view: View) -> tuple[Cell, ...]:
    what, under = kind(trial), ""
    if what == OVER:
        under = ", ".join(name for name, by in trial.constraints.items() if by > 0)
    retried = [t.number for t in view.trials if t.user_attrs.get(schema.RETRY_OF) == trial.number]
    if what == BROKEN and retried:
        under = f"goes on as {retried[-1]}"
    if trial.user_attrs.get(schema.WARM):
        under = ", ".join(filter(None, [under, f"from {trial.user_attrs[schema.WARM]}"]))
    run = str(trial.user_attrs.get(schema.RUN, NONE))
    return Cell(str(trial.number)), Cell(run), Cell(what, under)


def _values(trial: FrozenTrial, view: View, mark: Mark) -> Sequence[Cell]:
    if kind(trial) in (COMPLETE, OVER):
        return [Cell(f"{one:.4f}", "", mark) for one in trial.values]
    last = trial.intermediate_values
    if last and len(view.ways) == 1:
        return [Cell(f"{last[max(last)]:.4f}", f"at epoch {max(last)}")]
    return [Cell(NONE)] * len(view.ways)


def _setting(found: Any) -> list[str]:
    if isinstance(found, dict) and all(isinstance(one, dict) for one in found.values()):
        return [f"{name}: {_inline(about)}" for name, about in found.items()]
    if isinstance(found, list):
        return [" ".join(map(str, found)) or "none"]
    return [_inline(found) if isinstance(found, dict) else str(found)]


def _inline(found: dict[str, Any]) -> str:
    return ", ".join(f"{key} {_written(one)}" for key, one in found.items() if one is not None)


def _written(found: Any) -> str:
    return found if isinstance(found, str) else json.dumps(found)
