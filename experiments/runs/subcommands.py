"""The subcommands: what each takes, what it does, and an example of its use."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from experiments.runs import upkeep
from experiments.runs.errors import RunsError

PROGRAM = "python -m experiments.runs"
_RUN = "an id, latest, a folder, or a name that only one run has"


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One subcommand.

    Attributes:
        summary: what it does, in one line.
        examples: how it is used; each follows the program's name.
        add_options: gives a parser its arguments.
        run: does it; returns the exit status.
    """

    summary: str
    examples: tuple[str, ...]
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Path, argparse.Namespace], int]


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"needs a whole number of at least 1, got {text!r}")
    return int(text)


def _list_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="CONDITION",
        help="a condition on a field, config key or metric, as in status=COMPLETED,FAILED, "
        "channel_multiplication>=2, val/dice>0.7, name~sym, started>=2026-11-20, age<2d; "
        "repeated: all must hold",
    )
    parser.add_argument(
        "--name", metavar="PATTERN", help="the name, or one word of it; * is any text"
    )
    parser.add_argument(
        "--columns",
        metavar="KEY,KEY",
        help="what to show: fields, config keys and metrics, as in id,name,val/dice,epochs; "
        "config: or metric: before a key says which of two is meant",
    )
    parser.add_argument("--sort", metavar="KEY", help="sort by this (default: id)")
    parser.add_argument("--reverse", action="store_true", help="the largest first")
    parser.add_argument("--last", type=_count, metavar="N", help="only the N newest that match")
    parser.add_argument("--first", type=_count, metavar="N", help="only the first N rows, sorted")
    parser.add_argument(
        "--all", action="store_true", help="also the runs that others were resumed from"
    )
    parser.add_argument("--json", action="store_true", help="as a JSON list of objects")


def _list(root: Path, arguments: argparse.Namespace) -> int:
    from experiments.runs.listing import Listing, show_list

    listing = Listing(
        where=tuple(arguments.where),
        name=arguments.name,
        columns=_keys(arguments.columns),
        sort=arguments.sort,
        reverse=arguments.reverse,
        last=arguments.last,
        first=arguments.first,
        every=arguments.all,
    )
    show_list(root, listing, as_json=arguments.json)
    return 0


def _keys(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if not keys:
        raise RunsError("--columns needs at least one key, as in --columns id,name,val/dice")
    return keys


def _show_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help=_RUN)
    parser.add_argument(
        "--all", action="store_true", help="every metric and entry, and the whole traceback"
    )
    parser.add_argument("--json", action="store_true", help="as a JSON object")


def _show(root: Path, arguments: argparse.Namespace) -> int:
    from experiments.runs.gather import find_run
    from experiments.runs.show import show_run

    run = find_run(root, arguments.run_name)
    show_run(run, everything=arguments.all, as_json=arguments.json)
    return 0


def _compare_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_names", nargs="+", metavar="RUN", help=_RUN)
    parser.add_argument(
        "--all", action="store_true", help="every metric, and entries that are equal"
    )
    parser.add_argument("--json", action="store_true", help="as a JSON object")


def _compare(root: Path, arguments: argparse.Namespace) -> int:
    from experiments.runs.compare import show_comparison
    from experiments.runs.gather import find_runs

    runs = find_runs(root, arguments.run_names)
    show_comparison(runs, everything=arguments.all, as_json=arguments.json)
    return 0


def _export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_names",
        nargs="*",
        metavar="RUN",
        help=f"{_RUN}; none with --csv: all, lineages as one",
    )
    parser.add_argument(
        "--to", type=Path, metavar="FILE.zip|DIR", help="copy the runs' folders there"
    )
    parser.add_argument(
        "--csv", metavar="FILE", help="write run, name, step, metric, value there; - for the pipe"
    )
    parser.add_argument("--force", action="store_true", help="overwrite an earlier export")


def _export(root: Path, arguments: argparse.Namespace) -> int:
    from experiments.runs.export import export_csv, export_runs
    from experiments.runs.gather import find_runs, some_runs
    from experiments.runs.summary import latest_only

    if (arguments.to is None) == (arguments.csv is None):
        raise RunsError("export needs one of --to FILE.zip, --to DIR and --csv FILE")
    if arguments.csv is not None:
        runs = find_runs(root, arguments.run_names) or latest_only(some_runs(root))
        export_csv(runs, arguments.csv, force=arguments.force)
        return 0
    if not arguments.run_names:
        raise RunsError("export --to needs to know which runs, as in: export latest --to run.zip")
    export_runs(find_runs(root, arguments.run_names), arguments.to, force=arguments.force)
    return 0


def _mongo_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mongo-url",
        metavar="URL",
        help="of the MongoDB (default: HIPREG_MONGO_URL, which also keeps a password out of the "
        "list of processes)",
    )


def _omniboard_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_count, help="the first port to try")
    _mongo_options(parser)


def _sync_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_names", nargs="*", metavar="RUN", help=f"{_RUN}; none: all runs")
    parser.add_argument(
        "--thorough", action="store_true", help="also write anew what is known to be up to date"
    )
    _mongo_options(parser)


def _reap_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the closed runs' ids as a JSON list")


def _resume_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_name", metavar="RUN", help=_RUN)
    parser.add_argument(
        "overrides",
        nargs=argparse.REMAINDER,
        metavar="with ENTRY=VALUE ...",
        help="what to change, as in: with epochs=1200",
    )


SUBCOMMANDS = {
    "list": Subcommand(
        "list runs: filtered, sorted, as a table or JSON",
        (
            "list --where 'channel_multiplication>=2' --where status=COMPLETED --name sym",
            "list --sort val/dice --reverse --first 10 --columns id,name,status,val/dice,epochs",
        ),
        _list_options,
        _list,
    ),
    "show": Subcommand(
        "show everything about one run on one screen",
        ("show latest", "show 7 --all"),
        _show_options,
        _show,
    ),
    "compare": Subcommand(
        "compare runs: configuration, final metrics, commit, packages, device",
        ("compare 3 7", "compare 3 7 latest --all"),
        _compare_options,
        _compare,
    ),
    "export": Subcommand(
        "copy runs with checksums to a zip file or folder, or their metrics to a CSV file",
        ("export latest --to run.zip", "export 3 7 --to shared/", "export --csv metrics.csv"),
        _export_options,
        _export,
    ),
    "sync": Subcommand(
        "bring the MongoDB mirror up to date with the run folders",
        ("sync --mongo-url mongodb://127.0.0.1:27017/hipreg", "sync 7"),
        _sync_options,
        upkeep.sync,
    ),
    "reap": Subcommand(
        "close the records of runs whose process is gone",
        ("reap",),
        _reap_options,
        upkeep.reap,
    ),
    "resume": Subcommand(
        "continue a run from its last checkpoint, as a new run linked to it",
        ("resume latest", "resume 7 with epochs=1200"),
        _resume_options,
        upkeep.resume,
    ),
    "omniboard": Subcommand(
        "browse the runs in Omniboard, on this machine only; Ctrl-C ends it",
        ("omniboard", "omniboard --mongo-url mongodb://127.0.0.1:27017/hipreg"),
        _omniboard_options,
        upkeep.omniboard,
    ),
}
