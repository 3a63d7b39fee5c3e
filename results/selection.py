"""Which runs stand for which row: by name or by a query on the configuration."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results.measurements import (
    Evaluated,
    Subject,
    config_difference,
    config_hash,
    evaluate,
)
from results.runs import Records, Run

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
_CONDITION = re.compile(r"(?P<key>\w+)(?P<operator>!=|<=|>=|=|<|>)(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """What an entry of the configuration must be."""

    key: str
    operator: str
    value: Any

    @staticmethod
    def parse(text: str) -> Condition:
        """Read ``key=value``, also with !=, <, <=, >, >=; values as in JSON, else words.

        Raises:
            ValueError: it is no condition.
        """
        match = _CONDITION.fullmatch(text.strip())
        if match is None:
            raise ValueError(
                f"a condition is an entry, one of {', '.join(_OPERATORS)} and a value, as in "
                f"symmetric=true or epochs>=100; got {text!r}"
            )
        word = match["value"].strip()
        # Python's words are what the configuration is printed in.
        word = {"True": "true", "False": "false", "None": "null"}.get(word, word)
        try:
            value = json.loads(word)
        except ValueError:
            value = word
        return Condition(match["key"], match["operator"], value)

    def holds(self, config: Mapping[str, Any]) -> bool:
        """Whether a configuration meets it; one without the entry, or of another kind, does not.

        ``1`` and ``true`` are different things here, unlike in Python.
        """
        if self.key not in config:
            return False
        found = config[self.key]
        if isinstance(found, bool) != isinstance(self.value, bool):
            return self.operator == "!="
        try:
            return bool(_OPERATORS[self.operator](found, self.value))
        except TypeError:
            return False

    def __str__(self) -> str:
        return f"{self.key}{self.operator}{json.dumps(self.value)}"


@dataclass(frozen=True, slots=True)
class RowQuery:
    """What makes a row.

    Attributes:
        title: its head; empty for a name's own words.
        name: the runs' name; None where conditions choose.
        conditions: all of which must hold.
    """

    title: str
    name: str | None
    conditions: tuple[Condition, ...] = ()

    @staticmethod
    def parse(text: str) -> RowQuery:
        """Read a name (``sym pretrain``) or ``TITLE: key=value key=value``.

        Raises:
            ValueError: a condition is none.
        """
        title, colon, rest = text.partition(":")
        if colon:
            conditions = tuple(Condition.parse(word) for word in rest.split())
            if not conditions:
                raise ValueError(f"the row {text!r} has a title and no condition after it")
            return RowQuery(title.strip(), None, conditions)
        if _CONDITION.match(text):
            return RowQuery(text, None, tuple(Condition.parse(word) for word in text.split()))
        return RowQuery("", text)

    def takes(self, run: Run) -> bool:
        """Whether a run belongs to the row."""
        named = self.name is None or run.name == self.name
        return named and all(condition.holds(run.config) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Choice:
    """The runs behind one row: one configuration, one run a seed."""

    runs: tuple[Evaluated, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs come into question at all; None and empty take all."""

    split: str = "val"
    seeds: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()
    dataset: str | None = None
    fingerprint: str | None = None
    conditions: tuple[Condition, ...] = ()

    def takes(self, run: Run) -> bool:
        """Whether a run comes into question."""
        return (
            (not self.seeds or run.config.get("seed") in self.seeds)
            and (not self.ids or run.id in self.ids)
            and (self.dataset is None or run.dataset == self.dataset)
            and (self.fingerprint is None or run.fingerprint.startswith(self.fingerprint))
            and all(condition.holds(run.config) for condition in self.conditions)
        )


def usable(records: Records, wanted: Filter) -> tuple[list[Evaluated], list[str]]:
    """The runs that tables can be made from.

    Returns:
        The runs in the order of their ids, and a note on every other one that comes into
        question.
    """
    left_out = [f"{item.folder.name}: {item.reason}" for item in records.damaged]
    found: list[Evaluated] = []
    for run in records.runs:
        if not wanted.takes(run):
            continue
        reason = _unfit(run, wanted.split)
        if reason is None:
            try:
                found.append(evaluate(run, wanted.split))
                continue
            except (OSError, ValueError) as error:
                reason = str(error)
        left_out.append(f"{run.id} ({run.name}): {reason}")
    return found, left_out


def _unfit(run: Run, split: str) -> str | None:
    if run.continued_by is not None:
        return f"continued as run {run.continued_by}"
    if not run.finished:
        return f"not finished ({run.status.lower()})"
    if not run.pairs(split).exists():
        return f"no {run.pairs(split).name}"
    if split == "val" and _merged(run):
        return "trained on the validation cases"
    return None


def _merged(run: Run) -> bool:
    return bool(run.config.get("merge_train_val")) or "merge" in run.name.split()


def merged_runs(records: Records) -> tuple[Run, ...]:
    """Finished runs trained on the validation cases too, for the test set."""
    return tuple(run for run in records.runs if run.finished and _merged(run))


def by_subject(found: Sequence[Evaluated]) -> list[list[Evaluated]]:
    """Groups that were measured on the same, in order of appearance."""
    groups: dict[Subject, list[Evaluated]] = {}
    for item in found:
        groups.setdefault(item.subject, []).append(item)
    return list(groups.values())


def one_subject(found: Sequence[Evaluated]) -> list[Evaluated]:
    """The same runs, if one table may hold them.

    Raises:
        ValueError: they were not measured on the same; says what differs between which.
    """
    groups = by_subject(found)
    if len(groups) > 1:
        first, second = groups[:2]
        difference = first[0].subject.difference(second[0].subject)
        raise ValueError(
            f"runs {_ids(first)} and {_ids(second)} cannot stand in one table: {difference}. "
            "Choose with --dataset, --fingerprint or --ids"
        )
    return list(found)


def choose(found: Sequence[Evaluated], query: RowQuery) -> Choice:
    """The runs that stand for a row: the newest configuration, each seed once.

    Raises:
        ValueError: a query on the configuration leaves several different ones.
    """
    matching = [item for item in found if query.takes(item.run)]
    configurations: dict[str, list[Evaluated]] = {}
    for item in matching:
        configurations.setdefault(item.configuration, []).append(item)
    if not configurations:
        return Choice((), ())
    # Runs come by ascending id: the last of each group is its newest.
    *others, shown = sorted(configurations.values(), key=lambda group: group[-1].run.id)
    newest = shown[-1].run
    label = query.title or newest.name
    if others and query.name is None:
        differences = config_difference(others[-1][-1].run.config, newest.config)
        raise ValueError(
            f"the row {label!r} fits different configurations: run {others[-1][-1].run.id} "
            f"({differences}) and run {newest.id}; say more, for example with --where"
        )
    notes = []
    if others:
        listed = ", ".join(
            f"{item.run.id} ({config_difference(item.run.config, newest.config)})"
            for group in reversed(others)
            for item in reversed(group)
        )
        notes.append(
            f"{label}: the configuration of run {newest.id}, the newest, is shown; also "
            f"finished: {listed}."
        )
    kept = {json.dumps(item.seed): item for item in shown}
    repeats = [item for item in shown if kept[json.dumps(item.seed)] is not item]
    notes += [
        f"{label}: run {item.run.id} has the configuration and seed of run "
        f"{kept[json.dumps(item.seed)].run.id}, the newer of which is shown."
        for item in repeats
    ]
    ordered = sorted(kept.values(), key=lambda item: (str(item.seed), item.run.id))
    return Choice(tuple(ordered), tuple(notes))


def rows_by(found: Sequence[Evaluated], keys: Sequence[str]) -> list[RowQuery]:
    """A row for each combination of values that some entries of the configuration have.

    Raises:
        ValueError: no run has such an entry.
    """
    unknown = [key for key in keys if not any(key in item.run.config for item in found)]
    if unknown:
        raise ValueError(f"no run has the configuration entry {', '.join(unknown)}")
    combinations: dict[str, tuple[Condition, ...]] = {}
    for item in found:
        config = {key: item.run.config.get(key) for key in keys}
        conditions = tuple(Condition(key, "=", value) for key, value in config.items())
        combinations.setdefault(config_hash(config, without=frozenset()), conditions)
    ordered = sorted(combinations.values(), key=lambda some: [str(one.value) for one in some])
    return [RowQuery(", ".join(map(str, some)), None, some) for some in ordered]


def _ids(group: Sequence[Evaluated]) -> str:
    return ", ".join(str(item.run.id) for item in group)
