"""The metrics of a run as appended lines: each number once, whichever way it came."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.plain import json_number, json_ready, number
from experiments.records import MetricLine
from experiments.run_folder import AppendLog

logger = logging.getLogger(__name__)


class MetricLog:
    """Writes ``metrics.jsonl``, see :mod:`experiments.run_folder`.

    Attributes:
        nonfinite: how often each metric was no finite number.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is opened before the first line."""
        self.nonfinite: Counter[str] = Counter()
        self._log = AppendLog(path)
        self._written: Counter[tuple[str, int]] = Counter()

    def write(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Append ``metrics`` of ``step`` as one line, now and to the disk itself.

        Raises:
            OSError: the file cannot be written; the line waits for the next call.
        """
        self._written.update((name, step) for name in metrics)
        line = _line(step, datetime.now(UTC), self._numbers(step, metrics))
        self._log.append([line], durably=True)

    def write_sacred(self, metrics_by_name: Mapping[str, Mapping[str, Any]]) -> None:
        """Append what came through Sacred, and not through :meth:`write` too, a line a step.

        A number that is logged again at the same step gets a line of its own.

        Args:
            metrics_by_name: Sacred's ``steps``, ``values`` and ``timestamps`` by name.

        Raises:
            OSError: the file cannot be written; the lines wait for the next call.
        """
        lines: dict[tuple[int, int], dict[str, Any]] = {}
        repeats: Counter[tuple[str, int]] = Counter()
        for name, series in metrics_by_name.items():
            columns = zip(series["steps"], series["values"], series["timestamps"], strict=True)
            for step, value, time in columns:
                if self._written[name, step] > 0:
                    self._written[name, step] -= 1
                    continue
                values = self._numbers(step, {name: value})
                line = lines.setdefault((step, repeats[name, step]), _line(step, time, {}))
                line["values"] |= values
                repeats[name, step] += 1
        self._written = +self._written
        self._log.append([line for line in lines.values() if line["values"]])

    def flush(self) -> None:
        """Try again to write what waits.

        Raises:
            OSError: the file still cannot be written.
        """
        self._log.append([])

    def _numbers(self, step: int, metrics: Mapping[str, Any]) -> dict[str, float | str]:
        values: dict[str, float | str] = {}
        for name, value in metrics.items():
            try:
                values[name] = json_number(number(value))
            except ValueError as error:
                logger.warning("metric %s at step %s is left out: %s", name, step, error)
                continue
            if isinstance(values[name], str):
                self.nonfinite[name] += 1
        return values


def metric_json(line: MetricLine) -> dict[str, Any]:
    """A line as it is written."""
    values = {name: json_number(value) for name, value in line.values.items()}
    return {"step": line.step, "time": line.time, "values": values}


def _line(step: int, time: datetime, values: dict[str, float | str]) -> dict[str, Any]:
    return {"step": int(step), "time": json_ready(time), "values": values}
