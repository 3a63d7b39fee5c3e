"""Comparisons for programs, CSV and JSON: to twelve digits, as many as all processors agree on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from math import isfinite, isnan
from typing import Any

from results.comparison import Comparison
from results.formats.grids import legend
from results.metrics import Metric
from results.rows import Row

_ROW = ("dataset", "split", "pairs", "name", "method", "runs")
_FIGURE = ("value", "sd", "low", "high", "n", "infinite")
_AGAINST = ("difference", "low", "high", "p", "p_holm", "effect", "n")


def csv_text(tables: Iterable[Comparison], head: Iterable[str]) -> str:
    """A line a row and metric, under "#" lines of provenance; empty where there is no number."""
    file = io.StringIO()
    file.writelines(f"# {line}\n" for line in head)
    writer = csv.writer(file, lineterminator="\n")
    compared = [f"against_{name}" for name in _AGAINST]
    writer.writerow([*_ROW, "metric", *_FIGURE, "published", "reference", *compared])
    for table in tables:
        for row in table.rows:
            about = [table.subject.dataset, table.split, len(table.subject.pairs)]
            about += [row.name, row.method, " ".join(map(str, row.ids))]
            for metric in table.metrics:
                numbers = [*_of(row.figures.get(metric.key), _FIGURE), _published(row, metric)]
                against = row.against.get(metric.key)
                reference = table.reference if against else None
                values = [*numbers, reference, *_of(against, _AGAINST)]
                writer.writerow([*about, metric.key, *values])
    return file.getvalue()


def json_text(tables: Sequence[Comparison], head: Iterable[str]) -> str:
    """Everything that the other formats show; infinities are words, what is missing is null."""
    document = {
        "provenance": list(head),
        "legend": legend(tables),
        "tables": [_table(table) for table in tables],
    }
    return json.dumps(_plain(document), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _table(table: Comparison) -> dict[str, Any]:
    subject = table.subject
    return {
        "dataset": subject.dataset,
        "fingerprint": subject.fingerprint,
        "metric_definitions": subject.definitions,
        "split": table.split,
        "pairs": subject.pairs,
        "labels": subject.labels,
        "reference": table.reference,
        "runs": [
            {
                "id": item.run.id,
                "lineage": item.run.lineage,
                "name": item.run.name,
                "seed": item.seed,
                "configuration": item.configuration,
                "code": item.run.code,
            }
            for item in table.runs
        ],
        "rows": [_row(row) for row in table.rows],
        "rank_scores": [
            {
                "test": scores.test,
                "rows": table.ranked,
                **{name: getattr(scores, name) for name in ("score", "place", "first")},
                "place_low": scores.low,
                "place_high": scores.high,
                "metrics": scores.metrics,
            }
            for scores in table.ranks
        ],
        "notes": table.notes,
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "method": row.method,
        "runs": row.ids,
        "figures": {key: asdict(figure) for key, figure in row.figures.items()},
        "against_reference": {key: asdict(found) for key, found in row.against.items()},
        "published": row.published,
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        if isfinite(value):
            return _rounded(value)
        return None if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return dict(value) if hasattr(value, "keys") else value


def _of(found: Any, names: Sequence[str]) -> list[Any]:
    values = [None if found is None else getattr(found, name) for name in names]
    return [_rounded(value) if isinstance(value, float) else value for value in values]


def _rounded(value: float) -> float | None:
    return None if isnan(value) else float(f"{value:.12g}")


def _published(row: Row, metric: Metric) -> float | None:
    value = row.published.get(metric.published or "")
    return None if value is None or isnan(value) else value
