"""``mirror.json``: which document of which database mirrors a run folder, and how far it is."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

from experiments import run_folder
from experiments.records import read_document

FILE = "mirror.json"


def remember(folder: Path, database: str, run_id: int | None, behind: str | None) -> bool:
    """Note the state of a mirror where it differs from what is noted.

    Args:
        folder: the run folder.
        database: host and name of the database, without credentials.
        run_id: the id of the document there; None where it has none yet.
        behind: why the document is not up to date; None for one that is.

    Returns:
        Whether this or any other mirror of the run is behind.

    Raises:
        OSError: the folder cannot be written.
    """
    path = folder / FILE
    known: dict[str, dict[str, object]] = {}
    with contextlib.suppress(ValueError):  # none yet, or not readable any more
        known = read_document(path)
    state = {"id": run_id, "behind": behind}
    if {key: known.get(database, {}).get(key, "") for key in state} != state:
        known[database] = {**state, "since": datetime.now(UTC).isoformat(timespec="seconds")}
        run_folder.write_json(path, known)
    return any(mirror.get("behind") for mirror in known.values())
