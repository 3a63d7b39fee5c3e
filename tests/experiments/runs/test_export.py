"""An export is whole, checked, free of secrets, and overwrites nothing unasked."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest

from experiments.runs.safe_copy import copy_run
from tests.experiments.runs.made import Command, make_run, rising

PASSWORD = "open-sesame-77"
URL = f"mongodb://me:{PASSWORD}@lab:27017/hipreg"


def checked(folder: Path) -> set[str]:
    """The files that SHA256SUMS names, each of which must be as it says."""
    names = set()
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ", 1)
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name
        names.add(name)
    return names


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_folder_is_whole_and_checked_and_can_be_listed(runs: Command, tmp_path: Path) -> None:
    folder = make_run(runs.root, metrics=rising(3))
    (folder / "artifacts" / "best.pt").write_bytes(bytes(range(256)) * 100)
    (folder / "captured.txt").write_bytes("epoch 1\r\nß\n".encode() + b"\xff")
    target = tmp_path / "shared" / "export"
    shown = runs("export", "1", "--to", str(target))
    assert shown.status == 0
    assert checked(target) | {"SHA256SUMS"} == files(target)
    for name in files(folder):
        assert (target / "1" / name).read_bytes() == (folder / name).read_bytes(), name
    assert "val/dice" in (target / "1" / "summary.txt").read_text()
    assert "Nothing was left out." in (target / "README.txt").read_text()
    runs.root = target
    assert runs("list", "--columns", "id,val/dice").rows()[1] == ["1", "0.8000"]


def test_zip_holds_the_same_as_the_folder(runs: Command, tmp_path: Path) -> None:
    make_run(runs.root, metrics=rising(3))
    make_run(runs.root, metrics=rising(3))
    runs("export", "1", "2", "--to", str(tmp_path / "a.zip"))
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "unpacked")
    unpacked = tmp_path / "unpacked" / "a"
    assert checked(unpacked) | {"SHA256SUMS"} == files(unpacked)
    assert {"1/run.json", "2/run.json", "README.txt"} <= files(unpacked)
    assert files(tmp_path) & {"a.zip"}
    assert not list(tmp_path.glob(".*"))


def test_runs_that_it_continues_come_along(runs: Command, tmp_path: Path) -> None:
    make_run(runs.root, metrics=rising(3), status="INTERRUPTED")
    make_run(runs.root, metrics=rising(1), first_step=4, parent=1, lineage=[1, 2])
    make_run(runs.root)
    runs("export", "2", "--to", str(tmp_path / "e"))
    assert {path.name for path in (tmp_path / "e").iterdir() if path.is_dir()} == {"1", "2"}


def test_no_secret_leaves(runs: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIPREG_MONGO_URL", URL)
    monkeypatch.setenv("LAB_API_TOKEN", "tok-1234567890")
    folder = make_run(runs.root, result=URL, metrics=rising(2))
    (folder / "captured.txt").write_text(f"at {URL}\nalone: {PASSWORD}, tok-1234567890\n")
    (folder / "uncommitted.diff").write_text("+url = 'postgresql://u:other-pass@host/db'\n")
    artifacts = folder / "artifacts"
    (artifacts / "history.csv").write_text(f"a,{PASSWORD}\n")
    (artifacts / "clean.pt").write_bytes(os.urandom(3_000_000))
    border = (1 << 20) - 20  # across the border of two pieces that are read at once
    (artifacts / "login.pt").write_bytes(b"\0" * border + b"mongodb://u:another@h/db" + b"\0" * 99)
    (artifacts / "alone.pt").write_bytes(b"\0" * (border + 13) + PASSWORD.encode())
    shown = runs("export", "1", "--to", str(tmp_path / "e"))
    written = b"".join(p.read_bytes() for p in (tmp_path / "e").rglob("*") if p.is_file())
    for secret in (PASSWORD, "other-pass", "another", "tok-1234567890"):
        assert secret.encode() not in written, secret
    names = files(tmp_path / "e")
    assert "1/artifacts/clean.pt" in names
    for name in ("login.pt", "alone.pt"):
        assert f"1/artifacts/{name}: holds credentials" in shown.err
        assert f"1/artifacts/{name}: holds credentials" in (tmp_path / "e/README.txt").read_text()
    assert "lab:27017/hipreg" in written.decode("utf-8", "replace")


def test_links_and_half_written_files_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("outside")
    folder = make_run(tmp_path / "runs")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "artifacts" / "all").symlink_to(tmp_path)
    (folder / "artifacts" / ".last.pt.12.part").touch()
    os.mkfifo(folder / "artifacts" / "pipe")
    copied = {entry.name: bool(entry.left_out) for entry in copy_run(folder, tmp_path / "copy")}
    assert {name for name, out in copied.items() if out} == {
        "1/link.txt", "1/artifacts/all", "1/artifacts/pipe"
    }  # fmt: skip
    assert files(tmp_path / "copy") == {"run.json", "config.json"}


@pytest.mark.parametrize("name", ["e.zip", "e"])
def test_what_is_there_is_replaced_when_forced_alone(
    runs: Command, tmp_path: Path, name: str
) -> None:
    make_run(runs.root, metrics=rising(2))
    make_run(runs.root, metrics=rising(2))
    target = tmp_path / name
    assert runs("export", "1", "--to", str(target)).status == 0
    refused = runs("export", "2", "--to", str(target))
    assert refused.status == 2
    assert "--force" in refused.err
    assert runs("export", "2", "--to", str(target), "--force").status == 0
    if name == "e":
        assert (target / "2").is_dir()
        assert not (target / "1").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, "runs"]


def test_force_never_replaces_what_is_no_export(runs: Command, tmp_path: Path) -> None:
    make_run(runs.root)
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("years")
    shown = runs("export", "1", "--to", str(home), "--force")
    assert shown.status == 2
    assert "no earlier export" in shown.err
    assert (home / "thesis.tex").read_text() == "years"
    (tmp_path / "folder.zip").mkdir()
    assert runs("export", "1", "--to", str(tmp_path / "folder.zip"), "--force").status == 2


def test_export_into_the_run_itself_is_refused(runs: Command) -> None:
    folder = make_run(runs.root)
    shown = runs("export", "1", "--to", str(folder / "artifacts" / "copy"))
    assert shown.status == 2
    assert files(folder) == {"run.json", "config.json"}


def test_target_that_cannot_be_written_is_one_line(runs: Command, tmp_path: Path) -> None:
    make_run(runs.root)
    (tmp_path / "file").touch()
    for option in (("--to", "file/e.zip"), ("--to", "file/e"), ("--csv", "file/e.csv")):
        shown = runs("export", "1", option[0], str(tmp_path / option[1]))
        assert shown.status == 2
        assert "file" in shown.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "needs one of"),
        (("1", "--to", "a.zip", "--csv", "b"), "needs one of"),
        (("--to", "a.zip"), "which runs"),
        (("7", "--to", "a.zip"), "no run '7'"),
    ],
)
def test_incomplete_request_says_what_is_missing(
    runs: Command, arguments: tuple[str, ...], message: str
) -> None:
    make_run(runs.root)
    assert message in runs("export", *arguments).err


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_is_tidy_and_keeps_every_number(runs: Command, tmp_path: Path) -> None:
    third = 1 / 3
    make_run(runs.root, config={"name": 'a,"b"'}, metrics=[{"x": third, "y": "NaN"}, {"x": 2.0}])
    make_run(runs.root, metrics=[{"x": "-Infinity"}])
    shown = runs("export", "--csv", str(tmp_path / "m.csv"))
    assert shown.status == 0
    assert "4 values of 2 runs" in shown.out
    table = rows((tmp_path / "m.csv").read_text())
    assert list(table[0]) == ["run", "name", "step", "metric", "value"]
    found = {(row["run"], row["step"], row["metric"]): float(row["value"]) for row in table}
    assert found[("1", "1", "x")] == third
    assert found[("1", "2", "x")] == 2.0
    assert found[("1", "1", "y")] != found[("1", "1", "y")]
    assert found[("2", "1", "x")] == -float("inf")
    assert table[0]["name"] == 'a,"b"'


def test_csv_of_a_lineage_has_each_epoch_once(runs: Command) -> None:
    make_run(runs.root, metrics=[{"x": 1.0}, {"x": -2.0}], status="INTERRUPTED")
    make_run(
        runs.root, metrics=[{"x": 2.0}, {"x": 3.0}], first_step=2, parent=1,
        lineage=[1, 2], resumed_at_epoch=1,
    )  # fmt: skip
    for arguments in ((), ("2",)):
        table = rows(runs("export", *arguments, "--csv", "-").out)
        points = [(row["run"], row["step"], row["value"]) for row in table]
        assert points == [("2", "1", "1.0"), ("2", "2", "2.0"), ("2", "3", "3.0")]


def test_csv_file_is_not_overwritten_unasked(runs: Command, tmp_path: Path) -> None:
    make_run(runs.root, metrics=rising(1))
    path = tmp_path / "m.csv"
    path.write_text("mine")
    assert "--force" in runs("export", "--csv", str(path)).err
    assert path.read_text() == "mine"
    assert runs("export", "--csv", str(path), "--force").status == 0
    assert path.read_text().startswith("run,name")
