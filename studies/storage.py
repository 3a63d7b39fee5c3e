"""Where studies are stored: a journal file on one machine, PostgreSQL or MySQL for many."""

from __future__ import annotations

import os
import re
import shlex
import warnings
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from experiments.errors import PlainError
from experiments.redaction import redact, secrets_of

STORAGE = "HIPREG_STUDY_STORAGE"
"""Variable with the URL of a database; the only way in which it is handed to other processes."""
STUDIES = "HIPREG_STUDIES"
DEFAULT_STUDIES = Path(__file__).resolve().parents[1] / "results" / "studies"
"""Where journal files lie unless HIPREG_STUDIES says otherwise."""

HEARTBEAT, GRACE = 10, 60
"""Seconds between two heartbeats of a trial, and without one after which it is lost."""

_DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_PACKAGES = {
    "psycopg": "pip install 'hipreg[postgresql]'",
    "pymysql": "pip install 'hipreg[mysql]'",
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def checked_name(name: str) -> str:
    """The name of a study, which is a file's name too.

    Raises:
        PlainError: It has other characters than letters, digits, ``.``, ``_`` and ``-``.
    """
    if not _NAME.fullmatch(name):
        raise PlainError(
            f"a study's name has letters, digits, '.', '_' and '-' and begins with one of the "
            f"former two, got {name!r}"
        )
    return name


def studies_root() -> Path:
    """The folder of journal files: HIPREG_STUDIES, else ``results/studies``."""
    return Path(os.environ.get(STUDIES) or DEFAULT_STUDIES)


def storage_url(option: str | None, name: str) -> str:
    """The storage that is meant: the option, else HIPREG_STUDY_STORAGE, else a journal file.

    Args:
        option: Of the command line: a URL, or the path of a journal file.
        name: Of the study.
    """
    chosen = option or os.environ.get(STORAGE)
    return chosen or str(studies_root() / f"{checked_name(name)}.journal")


def shown_url(url: str) -> str:
    """A storage without credentials, to be printed and recorded."""
    return redact(url, secrets_of(url)) if is_database(url) else url


def command_on(study: str, url: str, program: str, *options: str) -> str:
    """A command on a study as it works where it is pasted.

    Args:
        study: Name.
        url: The storage that the study lies in.
        program: What is called, as in ``python studies/report.py``.
        options: Of the program, beside the storage.

    Returns:
        One line of shell. It says the storage where that is not the one that is meant without
        it; credentials are left to the variable, which a comment names then.
    """
    words, comment = [*program.split(), study], ""
    if not _same_storage(url, storage_url(None, study)):
        if shown_url(url) == url:
            words += ["--storage", url]
        else:
            comment = f"  # with {STORAGE} set to {shown_url(url)}"
    return shlex.join([*words, *options]) + comment


def _same_storage(first: str, second: str) -> bool:
    if is_database(first) or is_database(second):
        return first == second
    return Path(first).absolute() == Path(second).absolute()


def is_database(url: str) -> bool:
    """Whether a storage is a database, and not a journal file."""
    return "://" in url


def open_storage(url: str, *, workers: int = 1) -> BaseStorage:
    """Open a storage, and make it where there is none.

    Args:
        url: A database's URL, or the path of a journal file.
        workers: How many processes are to work on it.

    Raises:
        PlainError: It cannot be used, saying why; no message holds a password.
    """
    if url.startswith("sqlite") and workers > 1:
        raise PlainError(
            f"SQLite takes one worker, and {workers} are asked for: it locks the whole file for "
            "each write, and trials of several processes fail with 'database is locked'. Leave "
            "--storage away (a journal file, for one machine) or name a PostgreSQL server"
        )
    try:
        return _database(url) if is_database(url) else _journal(Path(url))
    except PlainError:
        raise
    except Exception as error:
        words = redact(str(error).strip(), secrets_of(url)).splitlines() or [""]
        raise PlainError(f"storage {shown_url(url)} cannot be opened: {words[0]}") from None


def _database(url: str) -> BaseStorage:
    scheme, _, rest = url.partition("://")
    scheme = _DRIVERS.get(scheme, scheme)
    heartbeat = {"heartbeat_interval": HEARTBEAT, "grace_period": GRACE}
    if scheme.startswith("sqlite"):
        heartbeat = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return RDBStorage(
                f"{scheme}://{rest}",
                engine_kwargs={"pool_pre_ping": True},
                **heartbeat,  # type: ignore[arg-type]
            )
    except ImportError:
        how = _PACKAGES.get(
            scheme.partition("+")[2], f"install what SQLAlchemy needs for {scheme}"
        )
        raise PlainError(
            f"storage {shown_url(url)} needs a driver that is missing: {how}"
        ) from None


def _journal(path: Path) -> BaseStorage:
    if path.is_dir():
        raise PlainError(f"storage {path} is a folder; expected a file or a database's URL")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = JournalFileOpenLock(str(path))
    _mend(path, lock)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def _mend(path: Path, lock: JournalFileOpenLock) -> None:
    """Take off the half line that a power cut or a full disk left at the end of a journal.

    Optuna would append to it, and then read no more of the file.
    """
    if _ends_whole(path):
        return
    lock.acquire()
    try:
        if not _ends_whole(path):
            content = path.read_bytes()
            with path.open("r+b") as file:
                file.truncate(content.rfind(b"\n") + 1)
    finally:
        lock.release()


def _ends_whole(path: Path) -> bool:
    if not path.exists() or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def study_names(storage: BaseStorage) -> list[str]:
    """Names of all studies of a storage."""
    return sorted(optuna.get_all_study_names(storage))


def load_study(storage: BaseStorage, name: str) -> optuna.Study:
    """A study that is there, to be read.

    Raises:
        PlainError: There is none of that name, and which there are.
    """
    try:
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        there = ", ".join(study_names(storage)) or "none"
        raise PlainError(f"no study {name!r} in this storage; there are: {there}") from None
