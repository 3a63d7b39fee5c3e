"""Keep the records behind published figures: ``python results/keep.py RUN [RUN ...]``.

Copies what tables and figures are made from (configuration, metrics of every epoch and every pair,
learning curves; of a resumed run, those of its whole lineage) from ``results/runs`` to
``results/records``, where it is tracked. Weights stay behind for their size, panels because they
show scans, and what describes the machine's folders. Of a training that started from a pretraining
or is guided by a segmentation that one's records are kept too, under ``pretraining`` or
``segmentation``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

if not __package__:  # run as a script: the checkout's packages, and not this folder's modules
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from experiments.metric_log import metric_json
from experiments.records import FORMAT, read_record
from experiments.run_folder import (
    CONFIG,
    INFO,
    METRICS,
    RUN,
    AppendLog,
    create_run_folder,
    run_ids,
    runs_root,
    write_json,
)
from results.origin import BEFORE, PRETRAINING, SEGMENTATION, Before, run_before
from results.runs import read_run

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "results" / "records"
ARTIFACTS = ("pairs_val.csv", "pairs_unregistered.csv", "history.csv", "curves.png")
OF_BEFORE = {
    PRETRAINING: ("pairs_selection.csv", "history.csv", "curves.png"),
    SEGMENTATION: ("cases_val.csv", "history.csv", "curves.png"),
}
KEPT = ("name", "command", "status", "start_time", "stop_time", "result", "git", "dependencies")
MACHINE = ("cpu", "cpu_count", "gpus", "python_version")


def keep(run: Path, records: Path) -> Path:
    """Copy the records of one finished run.

    Args:
        run: its folder.
        records: gets a folder with the next free number.

    Returns:
        The new folder.

    Raises:
        ValueError: the run is not finished, or lacks a file.
    """
    own = read_run(run.resolve())
    found = {before: run_before(own, before) for before in BEFORE}
    more = {
        before: keep_before(earlier.folder, records, before)
        for before, earlier in found.items()
        if earlier is not None
    }
    return _copy(run, records, ARTIFACTS, more)


def keep_before(run: Path, records: Path, before: Before) -> str:
    """Copy the records of a finished run that others build on, if they are not there yet.

    Args:
        run: its folder.
        records: gets them under the name of their kind.
        before: which kind.

    Returns:
        Where they lie, from ``records`` on.

    Raises:
        ValueError: as :func:`keep`.
    """
    root = records / before.kind
    started = read_record(run.resolve()).document.get("start_time")
    known = [read_record(root / str(number)) for number in run_ids(root)]
    there = [one for one in known if started and one.document.get("start_time") == started]
    folder = there[0].folder if there else _copy(run, root, OF_BEFORE[before], {})
    return f"{before.kind}/{folder.name}"


def _copy(run: Path, records: Path, artifacts: Sequence[str], more: Mapping[Before, str]) -> Path:
    record = read_record(run.resolve())
    document = record.document
    if document.get("status") != "COMPLETED":
        raise ValueError(f"{run}: only finished runs are kept, this one is {document['status']}")
    sources = [run / CONFIG, run / INFO]
    sources += [run / "artifacts" / name for name in artifacts]
    missing = [str(path) for path in (*sources, run / METRICS) if not path.is_file()]
    if missing:
        raise ValueError(f"{run}: not a whole training run, it lacks {', '.join(missing)}")
    _, folder = create_run_folder(records)
    (folder / "artifacts").mkdir(exist_ok=True)
    for path in sources:
        shutil.copyfile(path, folder / path.relative_to(run))
    AppendLog(folder / METRICS).append(metric_json(line) for line in record.stitched_lines())
    kept = {key: document[key] for key in KEPT if key in document}
    host = document.get("host", {})
    kept["host"] = {key: host[key] for key in MACHINE if key in host}
    kept |= {"format": FORMAT, "kept_from": record.id}
    kept["kept_lineage"] = list(record.lineage)
    write_json(folder / RUN, kept | {before.kind: place for before, place in more.items()})
    config = json.loads((folder / CONFIG).read_text())
    config |= {"data_dir": None, "resume_from": None}
    config |= {before.entry: place for before, place in more.items()}
    write_json(folder / CONFIG, config)
    return folder


def main(argv: list[str] | None = None) -> int:
    """Keep the runs named on the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's number, or its folder")
    parser.add_argument("--to", type=Path, default=RECORDS, help="folder of the kept records")
    arguments = parser.parse_args(argv)
    root = runs_root()
    for name in arguments.runs:
        try:
            folder = keep(root / name if name.isdigit() else Path(name), arguments.to)
        except (OSError, ValueError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
