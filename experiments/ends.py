"""Closes the records of runs whose process is gone: killed, or on a machine that is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from experiments import run_folder
from experiments.records import (
    DIED,
    SILENCE,
    RunRecord,
    last_sign_of_life,
    read_record,
    read_records,
    why_dead,
)


def reap(root: Path, silence: timedelta = SILENCE) -> list[RunRecord]:
    """Close every run under ``root`` that is recorded as running and cannot be, as DIED.

    Its stop time is that of its last sign of life, and ``died`` in its document says how its end
    was found out: by its process where that can be seen from here, else by its silence alone.

    Args:
        root: the folder of all runs.
        silence: how long a run that cannot be seen from here may say nothing.

    Returns:
        The runs that were closed, as they are now.

    Raises:
        OSError: a record cannot be written.
    """
    return [
        closed
        for record in read_records(root).runs
        if (closed := close_if_dead(record, silence)) is not None
    ]


def close_if_dead(record: RunRecord, silence: timedelta = SILENCE) -> RunRecord | None:
    """Close one run as :func:`reap` does; None where there is nothing to close.

    Raises:
        OSError: the record cannot be written.
    """
    if why_dead(record, silence) is None:
        return None
    record = read_record(record.folder)  # as it is now: it may have ended in the meantime
    why, last = why_dead(record, silence), last_sign_of_life(record)
    if why is None:
        return None
    document = {
        **record.document,
        "status": DIED,
        "stop_time": None if last is None else last.isoformat(),
        "died": {"why": why, "found": datetime.now(UTC).isoformat()},
    }
    run_folder.write_json(record.folder / run_folder.RUN, document)
    return read_record(record.folder)
