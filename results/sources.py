"""Where runs come from: a folder of run folders, or Sacred's documents in MongoDB."""

from __future__ import annotations

from pathlib import Path

from results.runs import Records, load_runs


def load(folder: Path, mongo_url: str | None = None, *, curves: bool = False) -> Records:
    """All runs of one source.

    Args:
        folder: the folder of all runs.
        mongo_url: where given, the database that is read instead.
        curves: whether the metrics of every epoch are wanted; run folders give them when asked.

    Raises:
        ValueError: the database cannot be read.
    """
    if not mongo_url:
        return load_runs(folder)
    # pymongo is only there where it is needed.
    from results.mongo import load_mongo

    return load_mongo(mongo_url, curves=curves)
