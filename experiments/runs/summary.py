"""What one line of a listing says about a run, from its documents and the end of its metrics."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.run_folder import ARTIFACTS, METRICS
from experiments.runs.tail import Tail, first_logged, read_tail
from experiments.runs.wording import parsed_time

if TYPE_CHECKING:
    from experiments.records import RunRecord

DAMAGED = "DAMAGED"
DEAD = "DEAD"
LIVE = "RUNNING"

_USUAL_STEPS_BACK = 20


@dataclass(eq=False)
class Summary:
    """One run, or one folder that cannot be read as a run.

    Attributes:
        folder: where it lies.
        record: its documents; None where not even ``run.json`` can be read.
        damage: what of it cannot be read, and why; empty where all can.
        config: the resolved configuration; empty where it cannot be read.
        info: what the run said about itself; likewise.
        wanted: the metrics that are asked for; None for all that were logged of late.
        ancestors: the runs that it continues, from the latest back.
        now: the time that ages are counted from.
    """

    folder: Path
    record: RunRecord | None
    damage: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    wanted: frozenset[str] | None = None
    ancestors: tuple[Summary, ...] = ()
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def id(self) -> int | str:
        """Its number: the name of its folder."""
        name = self.folder.name
        return int(name) if name.isdecimal() else name

    @cached_property
    def document(self) -> dict[str, Any]:
        """``run.json``; empty for a damaged folder."""
        return dict(self.record.document) if self.record else {}

    def part(self, key: str) -> dict[str, Any]:
        """An entry of ``run.json`` that holds others; empty where it holds none."""
        part = self.document.get(key)
        return part if isinstance(part, dict) else {}

    @property
    def name(self) -> str:
        """The configuration that it stands for."""
        return str(self.config.get("name") or self.document.get("name") or "")

    @cached_property
    def status(self) -> str:
        """The truth about it: DEAD where it says RUNNING and its process is gone."""
        return str(self.record.shown_status) if self.record else DAMAGED

    @cached_property
    def tail(self) -> Tail:
        """The end of its metrics, those of the runs it continues standing in for none."""
        every = self.config.get("eval_every")
        steps = max(every if isinstance(every, int) else 0, _USUAL_STEPS_BACK)
        own = read_tail(self.folder / METRICS, self.wanted, steps=steps)
        if own.step is None and self.ancestors:
            return self.ancestors[0].tail.until(self.document.get("resumed_at_epoch"))
        return own

    @property
    def started(self) -> datetime | None:
        """When it began."""
        return parsed_time(self.document.get("start_time"))

    @property
    def heartbeat(self) -> datetime | None:
        """When it was last heard of."""
        beat = parsed_time(self.document.get("heartbeat"))
        times = [time for time in (beat, self.tail.time) if time is not None]
        return max(times, default=None)

    @property
    def ended(self) -> datetime | None:
        """When it ended; the last that was heard of it where nobody saw its end."""
        if self.status == LIVE:
            return None
        return parsed_time(self.document.get("stop_time")) or self.heartbeat

    @property
    def age(self) -> float | None:
        """Seconds since its start."""
        return (self.now - self.started).total_seconds() if self.started else None

    @property
    def duration(self) -> float | None:
        """Seconds from its start to its end, or until now."""
        if self.started is None:
            return None
        end = self.now if self.status == LIVE else self.ended
        return (end - self.started).total_seconds() if end else None

    @property
    def epoch(self) -> int | None:
        """The last epoch that it logged."""
        return self.tail.step

    @property
    def epochs(self) -> int | None:
        """How many epochs it is to train."""
        wanted = self.config.get("epochs")
        return wanted if isinstance(wanted, int) and not isinstance(wanted, bool) else None

    @property
    def eta(self) -> float | None:
        """Seconds to the end of a running training, at its pace so far; else None."""
        time, epoch = self.tail.time, self.epoch
        if self.status != LIVE or not self.epochs or time is None or epoch is None:
            return None
        first = self._begun()
        if first is None or epoch <= first[0]:
            return None
        pace = (time - first[1]).total_seconds() / (epoch - first[0])
        left = pace * (self.epochs - epoch) - (self.now - time).total_seconds()
        minutes = self.config.get("max_minutes")
        if isinstance(minutes, (int, float)) and self.age is not None:
            left = min(left, 60 * minutes - self.age)
        return max(0.0, left)

    def _begun(self) -> tuple[int, datetime] | None:
        """The first epoch that it logged, and when; where that is all, its start, though slow."""
        logged = first_logged(self.folder / METRICS)
        if logged is not None and logged[0] != self.epoch:
            return logged
        return (self.document.get("resumed_at_epoch") or 0, self.started) if self.started else None

    @property
    def parent(self) -> int | None:
        """The run that it was resumed from."""
        parent = self.document.get("parent")
        return parent if isinstance(parent, int) else None

    @property
    def error(self) -> str:
        """The last line of a failed run's traceback, or why the folder cannot be read."""
        lines = [line for line in traceback_lines(self.document) if line.strip()]
        return self.damage or (lines[-1].strip() if lines else "")

    def artifacts(self) -> dict[str, int]:
        """Size in bytes of every file under ``artifacts/`` by its name there."""
        root = self.folder / ARTIFACTS
        found: dict[str, int] = {}
        for folder, _, names in os.walk(root):  # which passes over what has vanished
            for path in (Path(folder) / name for name in names if not name.startswith(".")):
                with suppress(OSError):  # a file that is just being replaced
                    found[str(path.relative_to(root))] = path.stat().st_size
        return dict(sorted(found.items()))


def traceback_lines(document: dict[str, Any]) -> list[str]:
    """The lines of a failed run's traceback; none where there is none."""
    trace = document.get("fail_trace")
    text = "".join(str(part) for part in trace) if isinstance(trace, list) else str(trace or "")
    return text.splitlines()


def latest_only(summaries: Sequence[Summary]) -> list[Summary]:
    """The runs that no other of ``summaries`` continues: the last of each lineage."""
    continued = {item.parent for item in summaries if item.parent != item.id}
    return [item for item in summaries if item.id not in continued]
