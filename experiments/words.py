"""Command lines of Sacred's kind for commands that record no run: ``with run=3 split=val``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments.errors import PlainError


def split_words(arguments: Sequence[str], known: Sequence[str]) -> list[str]:
    """Turn ``with key=value`` words into ``--key value`` options for argparse.

    Args:
        arguments: Of the command line.
        known: Keys that may be said so.

    Raises:
        PlainError: A word has an unknown key.
    """
    result: list[str] = []
    before = ""
    for argument in arguments:
        key, sign, value = argument.partition("=")
        # What follows an option may be its value, such as a folder with "=" in its name.
        word = bool(sign) and key.isidentifier()
        if word and key in known:
            result += [f"--{key.replace('_', '-')}", value]
        elif word and not before.startswith("--"):
            raise PlainError(f"unknown entry {key!r} in {argument!r}; known: {', '.join(known)}")
        elif argument != "with":
            result.append(argument)
        before = argument
    return result


def assignments(entries: Mapping[str, Any]) -> list[str]:
    """Configuration entries as arguments after ``with``."""
    return [f"{name}={value!r}" for name, value in entries.items()]


def run_command(main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Run a command; what is the user's to mend is said in one line, without a traceback."""
    try:
        return main(arguments)
    except (PlainError, ValueError, FileExistsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
