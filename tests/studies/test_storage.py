"""Where studies lie, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from experiments.errors import PlainError
from studies.storage import (
    checked_name,
    command_on,
    load_study,
    open_storage,
    shown_url,
    storage_url,
)
from tests.studies.bowl import PASSWORD, begin_bowl, bowl_plan


def test_journal_is_the_default_and_the_variable_comes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HIPREG_STUDY_STORAGE", raising=False)
    monkeypatch.setenv("HIPREG_STUDIES", str(tmp_path))
    assert storage_url(None, "weights") == str(tmp_path / "weights.journal")
    monkeypatch.setenv("HIPREG_STUDY_STORAGE", "postgresql://there/db")
    assert storage_url(None, "weights") == "postgresql://there/db"
    assert storage_url("sqlite:///a.db", "weights") == "sqlite:///a.db"


@pytest.mark.parametrize("name", ["", "../up", "a b", ".hidden", "a/b", "a\n"])
def test_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(PlainError, match="letters, digits"):
        checked_name(name)


def test_sqlite_takes_one_worker_and_says_why() -> None:
    with pytest.raises(PlainError, match="SQLite takes one worker, and 2"):
        open_storage("sqlite:///study.db", workers=2)


def test_database_that_is_not_there_is_named_without_its_password() -> None:
    url = f"postgresql://me:{PASSWORD}@127.0.0.1:9/none?connect_timeout=2"
    with pytest.raises(PlainError, match="cannot be opened") as caught:
        open_storage(url)
    assert PASSWORD not in str(caught.value)
    assert PASSWORD not in shown_url(url)


def test_command_on_a_study_says_its_storage_unless_that_is_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HIPREG_STUDY_STORAGE", raising=False)
    monkeypatch.setenv("HIPREG_STUDIES", str(tmp_path))
    url = f"mysql://me:{PASSWORD}@127.0.0.1/studies"

    def said(storage: str) -> str:
        return command_on("w", storage, "python report.py")

    assert said(str(tmp_path / "w.journal")) == "python report.py w"
    assert said("other place/w.journal") == "python report.py w --storage 'other place/w.journal'"
    assert said("sqlite:///w.db") == "python report.py w --storage sqlite:///w.db"
    assert said(url) == (
        "python report.py w  # with HIPREG_STUDY_STORAGE set to mysql://***@127.0.0.1/studies"
    )
    monkeypatch.setenv("HIPREG_STUDY_STORAGE", url)
    assert said(url) == "python report.py w"


@pytest.mark.parametrize(
    ("driver", "scheme", "extra"),
    [("psycopg", "postgresql", "postgresql"), ("pymysql", "mysql", "mysql")],
)
def test_missing_driver_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, driver: str, scheme: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(PlainError, match=rf"driver that is missing: .*hipreg\[{extra}\]"):
        open_storage(f"{scheme}://me:{PASSWORD}@127.0.0.1:9/none")


def test_unknown_study_is_answered_with_those_that_are_there(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "a.journal"))
    begin_bowl(storage, bowl_plan())
    with pytest.raises(PlainError, match="there are: bowl"):
        load_study(storage, "bow")


def test_half_a_line_at_the_end_of_a_journal_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    begin_bowl(open_storage(str(path)), bowl_plan())
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"worker_id"')
    study = load_study(open_storage(str(path)), "bowl")
    assert path.read_bytes() == whole
    study.enqueue_trial({})
    assert len(load_study(open_storage(str(path)), "bowl").trials) == 1
    assert not list(tmp_path.glob("*.lock"))
