"""Connects a Sacred experiment to its records: ``configure(experiment)`` is all that it needs."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sacred import SETTINGS, Experiment, cli_option
from sacred.observers import RunObserver
from sacred.run import Run

from experiments.capture import LastWords, captured_text, terminal_columns
from experiments.mirror import MongoMirror
from experiments.observer import RunFolderError, RunFolderObserver
from experiments.plain import number, plain
from experiments.records import read_record
from experiments.redaction import redact, secrets_of
from experiments.run_folder import runs_root

if TYPE_CHECKING:
    from hipreg.models import InitReport

__all__ = [
    "RunFolderError",
    "RunFolderObserver",
    "artifacts_folder",
    "configure",
    "history",
    "log_epoch",
    "mongo_url_option",
    "new_experiment",
    "note",
    "note_start",
    "observers",
    "plain",
    "runs_dir_option",
    "runs_folder",
    "terminal_columns",
]

logger = logging.getLogger(__name__)


@cli_option("-R", "--runs-dir")  # type: ignore[untyped-decorator]
def runs_dir_option(args: str, run: Run) -> None:
    """Folder that run folders are made in (default: HIPREG_RUNS, else results/runs)."""


@cli_option("-U", "--mongo-url")  # type: ignore[untyped-decorator]
def mongo_url_option(args: str, run: Run) -> None:
    """Also record in the MongoDB at this URL (default: HIPREG_MONGO_URL, else none)."""


def observers(run_root: Path, mongo_url: str | None = None) -> list[RunObserver]:
    """The observers of a run: its folder under ``run_root``, and MongoDB where there is a URL.

    Args:
        run_root: the folder of all runs.
        mongo_url: MongoDB's URL; None or empty for the folder alone. Its password stays out of
            every record and message.
    """
    if not mongo_url:
        return [RunFolderObserver(run_root)]
    folder = RunFolderObserver(run_root, secrets=secrets_of(mongo_url))
    return [folder, MongoMirror(mongo_url, folder)]


def new_experiment(name: str) -> Experiment:
    """A Sacred experiment whose runs are recorded as ``configure`` says."""
    experiment = Experiment(
        name,
        save_git_info=False,
        additional_cli_options=[runs_dir_option, mongo_url_option],
    )
    configure(experiment)
    return experiment


def configure(experiment: Any) -> None:
    """Give a Sacred ``experiment`` its observers, its bounded output and a quick start.

    The experiment should be made with ``save_git_info=False`` (the snapshot asks git once, and
    not once per source file) and with the two options of this module. Observers are chosen at
    the start of each run from those options or from HIPREG_RUNS and HIPREG_MONGO_URL.
    """
    # nvidia-smi takes a second or more; the record gets the devices from torch.
    SETTINGS.HOST_INFO.INCLUDE_GPU_INFO = False
    experiment.captured_out_filter = captured_text
    # It says when it looks for fonts, in the middle of a training.
    logging.getLogger("matplotlib").setLevel(logging.WARNING)

    def choose_observers(options: dict[str, Any]) -> None:
        terminal_columns()
        url = options.get("--mongo-url") or os.environ.get("HIPREG_MONGO_URL")
        experiment.observers[:] = observers(_chosen_root(options), url)
        if url:
            # Sacred keeps these very options as part of the run document.
            options["--mongo-url"] = redact(url, secrets_of(url))

    def keep_last_words(_run: Run) -> None:
        output: Any = _run._output_file
        _run._output_file = LastWords(output)

    experiment.option_hook(choose_observers)
    experiment.pre_run_hook(keep_last_words)


def runs_folder(run: Run) -> Path:
    """The folder of all runs that ``run`` was told of, in a process that records nothing too."""
    return _chosen_root(run.meta_info.get("options", {}))


def artifacts_folder(run: Run) -> Path | None:
    """Where the files that ``run`` makes should be written; None for an unobserved run."""
    observer = _recorder(run)
    return None if observer is None else observer.artifacts


def note(run: Run, **entries: Any) -> None:
    """Add entries to the document of ``run``, now."""
    observer = _recorder(run)
    if observer is not None:
        observer.note(**entries)


def note_start(run: Run, weights: Path, report: InitReport) -> None:
    """Record which weights a training started from: "the newest that fit" are others tomorrow."""
    note(
        run,
        started_from={
            "weights": str(weights),
            "loaded": len(report.loaded),
            "skipped": list(report.skipped),
        },
    )


def note_guide(run: Run, weights: Path) -> None:
    """Record whose predicted labels guide a registration, for the same reason."""
    note(run, guided_by={"weights": str(weights)})


def history(run: Run) -> dict[str, list[tuple[int, float]]]:
    """(epoch, value) by name of what ``run`` and the runs that it continues recorded so far."""
    observer = _recorder(run)
    if observer is None or observer.folder is None:
        return {}
    stitched = read_record(observer.folder).stitched()
    return {name: list(series) for name, series in stitched.items()}


def log_epoch(run: Any, step: int, metrics: Mapping[str, Any]) -> None:
    """Record ``metrics`` of epoch ``step``: in the run folder now, elsewhere at the next beat.

    A value that is no single number is left out with a warning; the others are recorded.

    Args:
        run: the current ``sacred.run.Run``.
        step: the epoch.
        metrics: numbers by name, with "/" between the parts of a name (``val/dice``); tensors
            and numpy scalars of one element too. NaN and infinities are kept.
    """
    values: dict[str, float] = {}
    for name, value in metrics.items():
        try:
            values[name] = number(value)
        except ValueError as error:
            logger.warning("metric %s at step %d is left out: %s", name, step, error)
    observer = _recorder(run)
    if observer is not None:
        observer.write_metrics(step, values)
    for name, scalar in values.items():
        run.log_scalar(name, scalar, step)


def _recorder(run: Any) -> RunFolderObserver | None:
    for observer in run.observers:
        if isinstance(observer, RunFolderObserver) and observer.folder is not None:
            return observer
    return None


def _chosen_root(options: Mapping[str, Any]) -> Path:
    return Path(options.get("--runs-dir") or runs_root())
