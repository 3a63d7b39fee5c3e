"""The command line: which subcommand, and how what goes wrong is said."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from experiments.redaction import redact
from experiments.run_folder import runs_root
from experiments.runs.errors import RunsError
from experiments.runs.subcommands import PROGRAM, SUBCOMMANDS
from experiments.runs.tables import printable

USER_ERROR = 2
INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise RunsError(f"{message} ({self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status, 2 where the user asked for what cannot be."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    with contextlib.suppress(AttributeError):  # a stream of somebody's own
        # A name or curve that the terminal's encoding lacks costs that character alone.
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        arguments = parser().parse_args(argv)
        status = arguments.run(Path(arguments.runs_dir or runs_root()), arguments)
        sys.stdout.flush()
        return int(status)
    except BrokenPipeError:
        # The reader of the pipe has seen enough. Python would complain of it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if not _is_the_users(error):
            raise
        print(f"error: {printable(redact(str(error)))}", file=sys.stderr)
        return USER_ERROR


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command."""
    top = _Parser(prog=PROGRAM, description="Look at recorded runs, and look after them.")
    _add_runs_dir(top, None)
    subparsers = top.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    for name, subcommand in SUBCOMMANDS.items():
        examples = "".join(f"  {PROGRAM} {example}\n" for example in subcommand.examples)
        made = subparsers.add_parser(
            name,
            help=subcommand.summary,
            description=f"{subcommand.summary[:1].upper()}{subcommand.summary[1:]}.",
            epilog=f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        subcommand.add_options(made)
        _add_runs_dir(made, argparse.SUPPRESS)
        made.set_defaults(run=subcommand.run)
    return top


def _add_runs_dir(parser: argparse.ArgumentParser, default: Any) -> None:
    parser.add_argument(
        "-R",
        "--runs-dir",
        metavar="DIR",
        default=default,
        help="folder of the runs (default: HIPREG_RUNS, else results/runs)",
    )


def _is_the_users(error: Exception) -> bool:
    """Whether an error's message says all; PlainError is looked up only where it was loaded."""
    errors = sys.modules.get("experiments.errors")
    plain = (errors.PlainError,) if errors else ()
    return isinstance(error, (ValueError, OSError, *plain))
