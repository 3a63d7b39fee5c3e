"""``export``: runs to hand on, as a zip file or folder with checksums, or their metrics as CSV."""

from __future__ import annotations

import csv
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from experiments.runs import tables, wording
from experiments.runs.errors import RunsError
from experiments.runs.gather import continuations
from experiments.runs.safe_copy import Copied, copy_run
from experiments.runs.show import described
from experiments.runs.summary import Summary
from hipreg.files import replacing

CHECKSUMS = "SHA256SUMS"
README = "README.txt"
SUMMARY = "summary.txt"

_TITLE = "Runs exported from hipreg"
_README = """{title}

A folder holds one run; its number is the run's.

{runs}

In each folder: {summary} (all at a glance), run.json (who, when, status, versions, commit),
config.json (the configuration), metrics.jsonl (a line an epoch, where there are any),
captured.txt (what was printed), uncommitted.diff (what the commit does not hold), artifacts/
(weights, metrics of every pair, pictures).

Check the copies:      sha256sum --check {checksums}
List them with hipreg: python -m experiments.runs --runs-dir . list

{left_out}
"""


def export_runs(runs: Sequence[Summary], target: Path, *, force: bool) -> None:
    """Copy runs, and the runs that they continue, to a new folder or zip file, and say so.

    Args:
        runs: what to copy.
        target: a name ending in ".zip" makes a zip file, any other a folder.
        force: replace what is there, if that is an earlier export.

    Raises:
        RunsError: ``target`` exists and may not be replaced, or two runs have the same number.
        OSError: ``target`` cannot be written.
    """
    complete = _with_ancestors(runs)
    zipped = target.suffix.lower() == ".zip"
    for run in complete:
        if target.resolve().is_relative_to(run.folder.resolve()):
            raise RunsError(f"{target} lies in the folder of run {run.id}: choose another place")
    _check_target(target, force=force, zipped=zipped)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        folder = Path(scratch) / target.stem
        folder.mkdir()
        left_out = _fill(folder, complete)
        if zipped:
            _zip(folder, target)
        else:
            _replace(folder, target)
    count = wording.counted(len(complete), "run")
    print(f"{count} ({', '.join(str(run.id) for run in complete)}) exported to {target}")
    for copied in left_out:
        print(f"left out: {copied.name}: {copied.left_out}", file=sys.stderr)


def export_csv(runs: Sequence[Summary], target: str, *, force: bool) -> None:
    """Write the metrics of runs as CSV: run, name, step, metric, value.

    The numbers of a run include those of the runs that it continues; NaN and infinities are
    ``nan``, ``inf``, ``-inf``.

    Args:
        runs: whose metrics to write; damaged ones are told of.
        target: a file, or "-" for standard output.
        force: replace an existing file.

    Raises:
        RunsError: the file exists.
    """
    if target == "-":
        _write_rows(sys.stdout, runs)
        return
    path = Path(target)
    if path.exists() and not force:
        raise RunsError(f"{path} exists: choose another name, or overwrite it with --force")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        count = _write_rows(file, runs)
    print(f"{wording.counted(count, 'value')} of {wording.counted(len(runs), 'run')} in {path}")


def _write_rows(file: TextIO, runs: Sequence[Summary]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["run", "name", "step", "metric", "value"])
    count = 0
    for run in _progress(runs, "reading metrics"):
        if run.record is None:
            print(f"left out: run {run.id}: {run.damage}", file=sys.stderr)
            continue
        for line in run.record.stitched_lines():
            values = line.values.items()
            writer.writerows((run.id, run.name, line.step, name, value) for name, value in values)
            count += len(values)
    return count


def _with_ancestors(runs: Iterable[Summary]) -> list[Summary]:
    complete: dict[Path, Summary] = {}
    for run in runs:
        for part in (*reversed(run.ancestors), run):
            complete.setdefault(part.folder.resolve(), part)
    ids = [run.id for run in complete.values()]
    twice = sorted({str(run_id) for run_id in ids if ids.count(run_id) > 1})
    if twice:
        raise RunsError(
            f"two of the runs have the number {twice[0]}, each from a folder of its own: "
            "export them one by one"
        )
    return list(complete.values())


def _check_target(target: Path, *, force: bool, zipped: bool) -> None:
    if not target.exists():
        return
    if not force:
        raise RunsError(f"{target} exists: choose another name, or overwrite it with --force")
    ours = target.is_file() if zipped else _is_export(target)
    if not ours:
        raise RunsError(
            f"{target} is no earlier export, and --force replaces nothing else: "
            "choose another name"
        )


def _is_export(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    readme = folder / README
    known = readme.is_file() and (folder / CHECKSUMS).is_file()
    return not any(folder.iterdir()) or (known and readme.read_text().startswith(_TITLE))


def _fill(folder: Path, runs: Sequence[Summary]) -> list[Copied]:
    """Write everything into an empty folder; returns what was left out."""
    files: list[Copied] = []
    children = continuations(runs)
    for run in _progress(runs, "copying runs"):
        files += copy_run(run.folder, folder / str(run.id))
        if run.record is not None:
            curves = run.record.stitched()
            page = described(run, curves, children[run.folder], everything=True)
            text = "\n".join(tables.plain_lines(page)) + "\n"
            (folder / str(run.id) / SUMMARY).write_text(text, encoding="utf-8")
    left_out = [copied for copied in files if copied.left_out]
    (folder / README).write_text(_readme(runs, left_out), encoding="utf-8")
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    sums = [f"{_sha256(folder / name)}  {name}\n" for name in names]
    (folder / CHECKSUMS).write_text("".join(sums), encoding="utf-8")
    return left_out


def _readme(runs: Sequence[Summary], left_out: Sequence[Copied]) -> str:
    listed = "\n".join(f"  {run.id}  {run.name}  {run.status}".rstrip() for run in runs)
    missing = "\n".join(f"  {copied.name}: {copied.left_out}" for copied in left_out)
    return _README.format(
        title=_TITLE,
        runs=listed,
        summary=SUMMARY,
        checksums=CHECKSUMS,
        left_out=f"Left out:\n{missing}" if missing else "Nothing was left out.",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _zip(folder: Path, target: Path) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    with (
        replacing(target) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        for path in _progress(paths, "packing"):
            archive.write(path, Path(folder.name) / path.relative_to(folder))


def _replace(folder: Path, target: Path) -> None:
    """Move ``folder`` to ``target``, where at most an earlier export lies."""
    if target.exists():
        old = folder.with_name("old")
        target.rename(old)  # goes with the scratch folder that both lie in
    shutil.move(folder, target)


def _progress(items: Sequence[Any], what: str) -> Iterator[Any]:
    """Go through ``items`` with a progress bar where a terminal can show one."""
    if len(items) < 2 or not tables.in_terminal(sys.stderr):
        yield from items
        return
    from tqdm import tqdm

    yield from tqdm(items, desc=what, leave=False, dynamic_ncols=True)
